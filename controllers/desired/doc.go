// Package desired says what a cluster's Kubernetes objects should look like: a
// function from the spec, and from what the caller passes in, to each object.
//
// Every function is pure: the same arguments give the same object, byte for
// byte, so the caller can compare what there is with what there should be, and
// tests can compare with files. Nothing here calls the API server, looks at a
// clock, or knows which instance is the primary unless it is told.
//
//	names.go      what everything is called
//	metadata.go   labels, selectors and owners
//	config.go     lockstep.conf, and the config map that holds it
//	pod.go        an instance's pod; revision.go when it has to be replaced
//	storage.go    an instance's volume claim
//	service.go    the services; endpoints.go where they lead to
//	secret.go     the secrets that hold certificates
//	disruption.go how many instances a drain may take; account.go the pods' account
//	rbac.go       what the operator must be allowed to do, for all of these
package desired
