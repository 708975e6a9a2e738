package server

// infoLockstep tells what an instance of a cluster knows of its role. A server that
// nobody manages has none that another could assign or fence, and says that.
func (s *Server) infoLockstep(b *infoBuilder) {
	m := s.managed.machine
	b.section("Lockstep")
	b.field("lockstep_version", Version())
	b.field("lockstep_managed", flag(m != nil))
	if m == nil {
		return
	}
	now := s.clock.elapsed()
	b.field("lockstep_cluster", s.config.Cluster)
	b.field("lockstep_instance_name", s.config.InstanceName)
	b.field("lockstep_instance_id", s.managed.ledger.InstanceID())
	b.field("lockstep_role", m.Role())
	b.field("lockstep_epoch", m.Epoch())
	b.field("lockstep_role_epoch", m.RoleEpoch())
	b.field("lockstep_writes", m.Verdict(now))
	if lease, ok := m.Lease(now); ok {
		b.field("lockstep_lease_milliseconds", lease.DurationMillis)
		b.field("lockstep_lease_remaining_milliseconds", lease.RemainingMillis)
		b.field("lockstep_members", lease.Members)
	}
}
