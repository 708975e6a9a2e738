package tlsconf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" // older keys are encrypted with it
	"crypto/pbkdf2"
	"crypto/sha1" // the default of PBKDF2 in older keys
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

var (
	errNoKeyInFile = errors.New("there is no private key in the file")
	errKeyPass     = errors.New("the key is encrypted and tls-key-file-pass (or tls-client-key-file-pass) is not its password")
)

// decryptKey returns a key file whose key is not encrypted: the same one, or that
// which the password opens. A password that is not needed does no harm.
func decryptKey(file []byte, pass string) ([]byte, error) {
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errNoKeyInFile
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(block.Bytes, []byte(pass))
			if err != nil {
				return nil, err
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		//lint:ignore SA1019 weak, but such keys exist
		case x509.IsEncryptedPEMBlock(block):
			//lint:ignore SA1019 as above
			der, err := x509.DecryptPEMBlock(block, []byte(pass))
			if err != nil {
				return nil, errKeyPass
			}
			return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
		case bytes.HasSuffix([]byte(block.Type), []byte("PRIVATE KEY")):
			return file, nil
		}
	}
}

// The structures of PKCS#8 and PKCS#5 (RFC 5958 and RFC 8018).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct{ Derivation, Encryption pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// digests of PBKDF2 by their object identifiers; SHA-1 when none is named.
var digests = map[string]func() hash.Hash{
	"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New,
	"1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New,
}

// blockCiphers by their object identifiers, all in CBC mode.
var blockCiphers = map[string]struct {
	key   int // bytes
	block func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2": {16, aes.NewCipher}, "2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher}, "1.2.840.113549.3.7": {24, des.NewTripleDESCipher},
}

// maxIterations bounds the work that a file can ask for; tools use some thousand to
// a million.
const maxIterations = 2_000_000

func decryptPKCS8(der, pass []byte) ([]byte, error) {
	var key encryptedKey
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return nil, fmt.Errorf("read encrypted key: %w", err)
	}
	var scheme pbes2Params
	var derive pbkdf2Params
	var iv []byte
	if key.Algorithm.Algorithm.String() != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("the key is encrypted by scheme %s, which is not supported (PBES2 is)", key.Algorithm.Algorithm)
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, fmt.Errorf("read encrypted key: %w", err)
	}
	if scheme.Derivation.Algorithm.String() != "1.2.840.113549.1.5.12" {
		return nil, fmt.Errorf("the key's password is used by function %s, which is not supported (PBKDF2 is)", scheme.Derivation.Algorithm)
	}
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derive); err != nil {
		return nil, fmt.Errorf("read encrypted key: %w", err)
	}
	digest, known := digests[derive.PRF.Algorithm.String()]
	how, knownCipher := blockCiphers[scheme.Encryption.Algorithm.String()]
	if !known || !knownCipher || derive.Iterations < 1 || derive.Iterations > maxIterations {
		return nil, fmt.Errorf("the key is encrypted by %s with %s and %d iterations, which is not supported",
			scheme.Encryption.Algorithm, derive.PRF.Algorithm, derive.Iterations)
	}
	if _, err := asn1.Unmarshal(scheme.Encryption.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("read encrypted key: %w", err)
	}
	secret, err := pbkdf2.Key(digest, string(pass), derive.Salt, derive.Iterations, how.key)
	if err != nil {
		return nil, fmt.Errorf("derive the key's key: %w", err)
	}
	block, err := how.block(secret)
	if err != nil {
		return nil, fmt.Errorf("decrypt key: %w", err)
	}
	return decryptCBC(block, iv, key.Data)
}

func decryptCBC(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errKeyPass
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > size {
		return nil, errKeyPass
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, errKeyPass
		}
	}
	return plain[:len(plain)-padding], nil
}
