// Package clients holds the tests that do what applications do with common
// clients, on this project's server: go-redis and redis-cli here, under the real
// Sentinel, too; ioredis, node-redis, BullMQ and valkey-glide in the programs of the
// folder node; redis-py and Celery in those of the folder python.
//
// Every test also runs on the real redis-server, which shows that what it expects
// is right. The packages of the folder node are installed from their lock file into
// a cache (~/.cache/lockstep/clients), once per lock file. What is not installed on
// the machine is skipped by name, unless LOCKSTEP_REQUIRE_CLIENTS is set.
package clients
