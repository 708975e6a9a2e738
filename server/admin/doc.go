// Package admin serves what others than clients ask of a server: the instance API
// for the operator (HTTPS with mutual TLS), and health and metrics (plain HTTP).
//
// It owns no state. It reads the newest snapshot that the reactor has published,
// which never blocks, and hands requests to the reactor with a deadline. Only one
// thing is done without the reactor: an epoch is recorded, and obeyed by whatever
// looks at it before it writes, replies or acknowledges, also while the reactor is
// busy with something long.
//
// It must not know about keyspaces, logs or connections: everything comes through
// Backend.
package admin
