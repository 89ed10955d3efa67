// SPDX-License-Identifier: Apache-2.0

package course

import (
	"fmt"
	"sort"
	"sync"
)

// Own is what a Member keeps of itself; any goroutine may use it.
type Own struct {
	sync.Mutex
	parts      map[Part]bool
	positions  map[Part]int64
	committed  map[Part]int64
	rebalances int
	failed     error
}

func NewOwn() *Own {
	return &Own{parts: map[Part]bool{}, positions: map[Part]int64{}, committed: map[Part]int64{}}
}

func (o *Own) Gain(topics map[string][]int32) {
	o.Lock()
	defer o.Unlock()
	o.rebalances++
	for topic, ids := range topics {
		for _, id := range ids {
			o.parts[Part{topic, id}] = true
		}
	}
}

// Lose forgets these partitions, or all.
func (o *Own) Lose(topics map[string][]int32) {
	o.Lock()
	defer o.Unlock()
	if topics == nil {
		o.parts, o.positions = map[Part]bool{}, map[Part]int64{}
	}
	for topic, ids := range topics {
		for _, id := range ids {
			delete(o.parts, Part{topic, id})
			delete(o.positions, Part{topic, id})
		}
	}
}

// Took is said of each record that was given away.
func (o *Own) Took(part Part, offset int64) {
	o.Lock()
	defer o.Unlock()
	o.positions[part] = offset + 1
}

func (o *Own) Positions() map[Part]int64 {
	o.Lock()
	defer o.Unlock()
	all := map[Part]int64{}
	for part, offset := range o.positions {
		all[part] = offset
	}
	return all
}

func (o *Own) Commits(positions map[Part]int64) {
	o.Lock()
	defer o.Unlock()
	for part, offset := range positions {
		o.committed[part] = offset
	}
}

func (o *Own) Fail(err error) {
	o.Lock()
	defer o.Unlock()
	if o.failed == nil {
		o.failed = err
	}
}

func (o *Own) Assigned() []Part {
	o.Lock()
	defer o.Unlock()
	var all []Part
	for part := range o.parts {
		all = append(all, part)
	}
	sort.Slice(all, func(i, j int) bool { return fmt.Sprint(all[i]) < fmt.Sprint(all[j]) })
	return all
}

func (o *Own) Rebalances() int {
	o.Lock()
	defer o.Unlock()
	return o.rebalances
}

func (o *Own) Committed() map[Part]int64 {
	o.Lock()
	defer o.Unlock()
	return o.committed
}

func (o *Own) Failed() error {
	o.Lock()
	defer o.Unlock()
	return o.failed
}
