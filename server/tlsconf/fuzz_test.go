package tlsconf

import (
	"encoding/pem"
	"testing"
)

// FuzzDecryptKey: whatever a key file holds, it is opened or refused.
func FuzzDecryptKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "")
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"), "x")
	f.Add([]byte{0x30, 0x10, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d, 0x04, 0x01, 0}, "x")
	f.Fuzz(func(t *testing.T, data []byte, pass string) {
		for _, file := range [][]byte{data, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: data})} {
			if key, err := decryptKey(file, pass); err == nil && len(key) == 0 {
				t.Error("neither a key nor an error")
			}
		}
	})
}
