package instance

import (
	"fmt"
	"net"
	"strconv"
)

// Bounds of what a request may ask for.
const (
	MinLeaseMillis     = 100
	MaxLeaseMillis     = 60_000
	MaxMembers         = 1_000
	MaxHandoverMillis  = 500
	MinWindowBytes     = 16 << 10
	idLength           = 40
	maxHostNameLength  = 253
	maxRequestBytes    = 64 << 10 // the largest request is well below 1 KiB
	maxStatusLineBytes = 1 << 20  // a status with a thousand replicas is about 250 KiB
)

// MaxRequestBytes is the longest body that a server reads.
const MaxRequestBytes = maxRequestBytes

// Validate says which field is out of range; nil when none is.
func (r FenceRequest) Validate() error { return validEpoch(r.Epoch) }

// Validate says which field is out of range; nil when none is.
func (r PromoteRequest) Validate() error {
	if err := validEpoch(r.Epoch); err != nil {
		return err
	}
	if err := validTerms(r.Members, r.LeaseMillis); err != nil {
		return err
	}
	if r.StatusSeq != 0 && !validID(r.BootID) {
		return fmt.Errorf("bootID %q: want %d hex digits, since statusSeq is given", r.BootID, idLength)
	}
	return nil
}

// Validate says which field is out of range; nil when none is.
func (r FollowRequest) Validate() error {
	if err := validEpoch(r.Epoch); err != nil {
		return err
	}
	if err := r.Primary.validate("primary"); err != nil {
		return err
	}
	if r.Source != nil {
		if err := r.Source.validate("source"); err != nil {
			return err
		}
	}
	return validLease(r.LeaseMillis)
}

// Validate says which field is out of range; nil when none is.
func (r LeaseRequest) Validate() error {
	if err := validEpoch(r.Epoch); err != nil {
		return err
	}
	if r.StatusSeq != 0 && !validID(r.BootID) {
		return fmt.Errorf("bootID %q: want %d hex digits, since statusSeq is given", r.BootID, idLength)
	}
	return validTerms(r.Members, r.LeaseMillis)
}

// Validate says which field is out of range; nil when none is.
func (r HandoverRequest) Validate() error {
	if err := validEpoch(r.Epoch); err != nil {
		return err
	}
	if !validID(r.TargetInstanceID) {
		return fmt.Errorf("targetInstanceID %q: want %d hex digits", r.TargetInstanceID, idLength)
	}
	if r.TimeoutMillis < 1 || r.TimeoutMillis > MaxHandoverMillis {
		return fmt.Errorf("timeoutMillis %d: want 1 to %d", r.TimeoutMillis, MaxHandoverMillis)
	}
	return nil
}

// Validate says which field is out of range; nil when none is.
func (r WindowRequest) Validate() error {
	if err := validEpoch(r.Epoch); err != nil {
		return err
	}
	if r.CapacityBytes < MinWindowBytes {
		return fmt.Errorf("capacityBytes %d: want %d or more", r.CapacityBytes, MinWindowBytes)
	}
	return nil
}

// Address is host:port, with brackets around an IPv6 address.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

func (e Endpoint) validate(field string) error {
	if e.Host == "" || len(e.Host) > maxHostNameLength {
		return fmt.Errorf("%s.host %q: want a host name or an IP address", field, e.Host)
	}
	if e.Port < 1 || e.Port > 65535 {
		return fmt.Errorf("%s.port %d: want 1 to 65535", field, e.Port)
	}
	return nil
}

func validEpoch(epoch uint64) error {
	if epoch == 0 {
		return fmt.Errorf("epoch 0: want 1 or more")
	}
	return nil
}

func validTerms(members int, leaseMillis int64) error {
	if members < 1 || members > MaxMembers {
		return fmt.Errorf("members %d: want 1 to %d", members, MaxMembers)
	}
	return validLease(leaseMillis)
}

func validLease(millis int64) error {
	if millis < MinLeaseMillis || millis > MaxLeaseMillis {
		return fmt.Errorf("leaseMillis %d: want %d to %d", millis, MinLeaseMillis, MaxLeaseMillis)
	}
	return nil
}

func validID(id string) bool {
	if len(id) != idLength {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
