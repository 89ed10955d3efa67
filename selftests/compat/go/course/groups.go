// SPDX-License-Identifier: Apache-2.0

package course

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// taken is what the members of a group took.
type taken struct {
	sync.Mutex
	at    map[Part]map[int64]bool
	count int
	twice int
	first int64
}

func newTaken() *taken { return &taken{at: map[Part]map[int64]bool{}, first: -1} }

func (t *taken) take(r Record) {
	t.Lock()
	defer t.Unlock()
	part := Part{r.Topic, r.Partition}
	if t.at[part] == nil {
		t.at[part] = map[int64]bool{}
	}
	if t.at[part][r.Offset] {
		t.twice++
		return
	}
	t.at[part][r.Offset] = true
	if t.count == 0 {
		t.first = r.Offset
	}
	t.count++
}

func (t *taken) has() int {
	t.Lock()
	defer t.Unlock()
	return t.count
}

func (t *taken) all(part Part, offsets map[int64]int) bool {
	t.Lock()
	defer t.Unlock()
	for offset := range offsets {
		if !t.at[part][offset] {
			return false
		}
	}
	return true
}

func (c *run) groups() string {
	did := []string{"resumed"}
	c.resume()
	for _, strategy := range c.has.Strategies {
		c.turns(strategy)
	}
	did = append(did, "members come and go ("+strings.Join(c.has.Strategies, ", ")+")")
	if c.has.Static {
		c.statics()
		did = append(did, "static members")
	}
	if c.has.Pattern {
		c.pattern()
		did = append(did, "a pattern")
	}
	c.reset()
	did = append(did, "offset reset")
	return strings.Join(did, ", ")
}

func (c *run) fill(topic string, partitions, count int) {
	to := c.Producer("none", false, false)
	for i := 0; i < count; i++ {
		to.Send(Record{Topic: topic, Partition: int32(i % partitions), Value: []byte(strconv.Itoa(i))},
			func(_ Record, err error) { must(err) })
	}
	to.Close()
}

func (c *run) sum(group string) int64 {
	all, err := c.Committed(group)
	must(err)
	total := int64(0)
	for _, offset := range all {
		total += offset
	}
	return total
}

func (c *run) isState(group, want string, members int) func() bool {
	return func() bool {
		state, n, err := c.Group(group)
		must(err)
		return state == want && n == members
	}
}

// What one member committed, the next goes on from; the admin sees the group in each of its states.
func (c *run) resume() {
	topic := c.name + "-resume"
	group := topic + "-group"
	want := Want{Group: group, Topics: []string{topic}}
	c.create(topic, 4)
	c.fill(topic, 4, 1000)
	first, second := newTaken(), newTaken()
	a := c.Join(want, first.take)
	await("the first member has all records", func() bool { return first.has() == 1000 })
	await("the group is stable", c.isState(group, "Stable", 1))
	must(a.Leave())
	Require(c.sum(group) == 1000, "%d are committed", c.sum(group))
	await("the group is empty", c.isState(group, "Empty", 0))
	c.fill(topic, 4, 100)
	b := c.Join(want, second.take)
	await("the second member has the new records", func() bool { return second.has() >= 100 })
	must(b.Leave())
	Require(second.has() == 100, "the second member has %d records", second.has())
	Require(c.sum(group) == 1100, "%d are committed", c.sum(group))
	must(c.DeleteGroup(group))
	state, _, _ := c.Group(group)
	Require(state == "Dead" || state == "", "a deleted group is %s", state)
}

// The members own all partitions, each of them some and none two of them.
func shared(count int, members ...Member) func() bool {
	return func() bool {
		all, n := map[Part]bool{}, 0
		for _, m := range members {
			if m.Failed() != nil {
				Require(false, "a member: %v", m.Failed())
			}
			own := m.Assigned()
			if len(own) == 0 {
				return false
			}
			for _, part := range own {
				all[part] = true
				n++
			}
		}
		return n == count && len(all) == count
	}
}

func (c *run) turns(strategy string) {
	topic := c.name + "-turns-" + strategy
	want := Want{Group: topic + "-group", Topics: []string{topic}, Strategy: strategy}
	c.create(topic, 6)
	var made atomic.Int64
	enough, fed := make(chan bool), make(chan bool)
	go func() {
		to := c.Producer("none", false, false)
		for {
			select {
			case <-enough:
				to.Close()
				close(fed)
				return
			case <-time.After(time.Millisecond):
			}
			to.Send(Record{Topic: topic, Partition: int32(made.Load() % 6), Value: []byte("x")},
				func(_ Record, err error) { must(err) })
			made.Add(1)
		}
	}()
	all := newTaken()
	a := c.Join(want, all.take)
	await("one member has all", shared(6, a))
	b := c.Join(want, all.take)
	await("two members share", shared(6, a, b))
	d := c.Join(want, all.take)
	await("three members share", shared(6, a, b, d))
	must(b.Leave())
	await("two are left and share", shared(6, a, d))
	must(a.Leave())
	await("the last has all", shared(6, d))
	close(enough)
	<-fed
	await("every record is taken", func() bool { return int64(all.has()) >= made.Load() })
	must(d.Leave())
	Require(!c.has.Exact || all.twice == 0, "%d records were taken twice, though all was committed when revoked", all.twice)
	Require(c.sum(want.Group) == made.Load(), "%d of %d are committed", c.sum(want.Group), made.Load())
}

// A static member that comes back in time gets what it had, and nobody else notices.
func (c *run) statics() {
	topic := c.name + "-static"
	c.create(topic, 4)
	join := func(instance string) Member {
		return c.Join(Want{Group: topic + "-group", Topics: []string{topic}, Instance: instance}, newTaken().take)
	}
	one, two := join("one"), join("two")
	await("both static members have some", shared(4, one, two))
	rebalances, had := one.Rebalances(), two.Assigned()
	must(two.Leave())
	again := join("two")
	await("the second is back", shared(4, one, again))
	Require(fmt.Sprint(again.Assigned()) == fmt.Sprint(had), "it had %v and has %v", had, again.Assigned())
	Require(one.Rebalances() == rebalances, "the first noticed it")
	other := join("two")
	await("a second one of that name fences the first", func() bool { return again.Failed() != nil })
	Require(strings.Contains(strings.ToUpper(again.Failed().Error()), "FENCE") ||
		strings.Contains(again.Failed().Error(), "group.instance.id"), "it failed with %v", again.Failed())
	again.Leave()
	must(other.Leave())
	must(one.Leave())
}

// Topics that match are found, those made later too.
func (c *run) pattern() {
	prefix := c.name + "-pattern-"
	c.create(prefix+"a", 1)
	c.create(prefix+"b", 2)
	all := newTaken()
	one := c.Join(Want{Group: prefix + "group", Pattern: "^" + prefix + "[a-z]$"}, all.take)
	c.fill(prefix+"a", 1, 10)
	c.fill(prefix+"b", 2, 10)
	await("the records of two topics are taken", func() bool { return all.has() == 20 })
	c.create(prefix+"c", 1)
	c.fill(prefix+"c", 1, 10)
	await("the records of a topic made later are taken", func() bool { return all.has() == 30 })
	must(one.Leave())
}

// Where one begins that has no committed offset, or one that is not there any more.
func (c *run) reset() {
	topic := c.name + "-reset"
	c.create(topic, 1)
	c.fill(topic, 1, 100)
	resets, first := c.has.Resets, int64(0)
	if c.cut(topic, 30) {
		resets, first = append([]string{"gone"}, resets...), 30
	}
	for _, how := range resets {
		all := newTaken()
		want := Want{Group: topic + "-group-" + how, Topics: []string{topic}, Reset: how}
		if how == "gone" {
			must(c.Commit(want.Group, Part{topic, 0}, 10))
			want.Reset = "earliest"
		}
		end, err := c.Offset(topic, 0, Last)
		must(err)
		one := c.Join(want, all.take)
		switch how {
		case "none":
			await("it fails", func() bool { return one.Failed() != nil })
			one.Leave()
			continue
		case "latest":
			// Where it begins is found out some time after it has the partition.
			await("there are new records", func() bool {
				c.fill(topic, 1, 1)
				return all.has() > 0
			})
			Require(all.first >= end, "latest is %d, with %d records there", all.first, end)
		default:
			await("there are records", func() bool { return all.has() > 0 })
			Require(all.first == first, "%s: the first record is at %d", how, all.first)
		}
		must(one.Leave())
	}
}
