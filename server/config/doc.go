// Package config knows every directive: its name, its older names, its type,
// range and default, whether it may change while the server runs, and how it is
// written in a file.
//
// It reads redis.conf-style files (include, quoting, memory units), standard
// input and "--directive value" arguments into a Config, answers CONFIG GET,
// checks CONFIG SET and rewrites the file it came from, keeping comments and
// order. A directive that asks for something the server does not have is refused
// by name; at the value that does not ask for it, it is accepted, so that an
// ordinary redis.conf works.
//
// A Config is a plain value without locks: the server's reactor owns its own. The
// package does not know what a directive does; package server applies it.
package config
