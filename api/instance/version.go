package instance

// Version of this build, as both binaries report it. The build sets it with
// -ldflags "-X github.com/lockstep-db/lockstep/api/instance.Version=v1.2.3".
var Version = "dev"
