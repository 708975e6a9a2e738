// Package clients holds the tests that do what applications do with common
// clients, on this project's server: go-redis here, ioredis, node-redis and BullMQ
// in the programs of the folder node, and redis-cli.
//
// Every test also runs on the real redis-server, which shows that what it expects
// is right. The programs' packages are installed from their lock file into a cache
// (~/.cache/lockstep/clients), once per lock file. What is not installed on the
// machine is skipped by name, unless LOCKSTEP_REQUIRE_CLIENTS is set.
package clients
