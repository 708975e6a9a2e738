package config

func tlsDirectives() []directive {
	return []directive{
		integer("tls-port", "", func(c *Config) *int { return &c.TLSPort }, 0, 65535, 0),
		text("tls-cert-file", "", func(c *Config) *string { return &c.TLSCertFile }, 0),
		text("tls-key-file", "", func(c *Config) *string { return &c.TLSKeyFile }, 0),
		text("tls-key-file-pass", "", func(c *Config) *string { return &c.TLSKeyFilePass }, secret),
		text("tls-client-cert-file", "", func(c *Config) *string { return &c.TLSClientCertFile }, 0),
		text("tls-client-key-file", "", func(c *Config) *string { return &c.TLSClientKeyFile }, 0),
		text("tls-client-key-file-pass", "", func(c *Config) *string { return &c.TLSClientKeyFilePass }, secret),
		text("tls-ca-cert-file", "", func(c *Config) *string { return &c.TLSCACertFile }, 0),
		text("tls-ca-cert-dir", "", func(c *Config) *string { return &c.TLSCACertDir }, 0),
		enum("tls-auth-clients", "", func(c *Config) *string { return &c.TLSAuthClients }, 0, "no", "yes", "optional"),
		boolean("tls-replication", "", func(c *Config) *bool { return &c.TLSReplication }, 0),
		text("tls-protocols", "", func(c *Config) *string { return &c.TLSProtocols }, 0),
		text("tls-ciphers", "", func(c *Config) *string { return &c.TLSCiphers }, 0),
		text("tls-ciphersuites", "", func(c *Config) *string { return &c.TLSCiphersuites }, 0),
		boolean("tls-session-caching", "", func(c *Config) *bool { return &c.TLSSessionCaching }, 0),
	}
}
