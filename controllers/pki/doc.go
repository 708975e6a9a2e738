// Package pki makes the certificates of one cluster: an authority of its own, a
// certificate that all its instances show, and one that the operator shows to
// them. With them, an instance obeys this operator and nobody else, and the
// operator talks to this cluster's instances and to no others.
//
// Renew is the whole of it: from the certificates that there are, and the time,
// to those that there should be. It is called at every reconcile, changes nothing
// while nothing is due, and spreads the change of an authority over a day, so
// that at every moment whatever either side shows is accepted by the other.
//
// The package knows neither Kubernetes' API nor who stores what it makes. The key
// of the authority is in Material.Authority and nowhere else; it must not reach a
// pod.
package pki
