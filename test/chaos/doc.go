// Package chaos measures what a fault costs an ordinary client.
//
// A Writer writes all the time through one address, as an application would,
// and remembers every write that was acknowledged, when, and by which server
// process. After the fault, the History answers the three questions that
// matter: for how long did no write get through (Gap), which acknowledged
// writes are gone (Lost), and did two servers ever take writes at once
// (Overlaps).
//
// The package knows neither Kubernetes nor Lockstep: it speaks to anything that
// speaks RESP, through a client library that we did not write, and so it can
// be pointed at a real redis-server to check the checker.
package chaos
