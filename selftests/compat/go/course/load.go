// SPDX-License-Identifier: Apache-2.0

package course

import (
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"time"
)

const parts = 4

// feed is a producer with a topic of its own: for each partition what was acknowledged, by offset.
type feed struct {
	sync.Mutex
	topic      string
	idempotent bool
	acked      [parts]map[int64]int
	acks       int
}

func (f *feed) done(value int, r Record, err error) {
	Require(err == nil, "%s-%d: %d was given up: %v", f.topic, r.Partition, value, err)
	f.Lock()
	defer f.Unlock()
	other, twice := f.acked[r.Partition][r.Offset]
	Require(!twice, "%s-%d: %d and %d were both acknowledged at %d", f.topic, r.Partition, other, value, r.Offset)
	f.acked[r.Partition][r.Offset] = value
	f.acks++
}

func (f *feed) run(c *run, enough chan bool, ended *sync.WaitGroup) {
	defer ended.Done()
	to := c.Producer("none", f.idempotent, false)
	for i := 0; ; i++ {
		select {
		case <-enough:
			to.Close()
			return
		default:
		}
		n := i / parts
		to.Send(Record{Topic: f.topic, Partition: int32(i % parts), Value: []byte(strconv.Itoa(n))},
			func(r Record, err error) { f.done(n, r, err) })
		if i%20 == 19 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (f *feed) count() int {
	f.Lock()
	defer f.Unlock()
	return f.acks
}

func (f *feed) check(c *run) {
	var got [parts][]int
	left := int64(0)
	for p := int32(0); p < parts; p++ {
		end, err := c.Offset(f.topic, p, Last)
		must(err)
		left += end
	}
	c.Read(f.topic, parts, func(r Record) bool {
		Require(r.Offset == int64(len(got[r.Partition])), "%s-%d: offset %d after %d records", f.topic, r.Partition, r.Offset,
			len(got[r.Partition]))
		n, err := strconv.Atoi(string(r.Value))
		must(err)
		got[r.Partition] = append(got[r.Partition], n)
		left--
		return left > 0
	})
	for p := range got {
		for offset, value := range f.acked[p] {
			Require(offset < int64(len(got[p])) && got[p][offset] == value,
				"%s-%d: %d was acknowledged at %d; it is not there", f.topic, p, value, offset)
		}
		for n, value := range got[p] {
			Require(!f.idempotent || n == value, "%s-%d: %d at offset %d", f.topic, p, value, n)
		}
	}
}

func (c *run) load() string {
	feeds := []*feed{{topic: c.name + "-load-plain"}}
	if c.has.Idempotent {
		feeds = append(feeds, &feed{topic: c.name + "-load-idempotent", idempotent: true})
	}
	want := Want{Group: c.name + "-load-group", Every: 500 * time.Millisecond}
	enough, ended := make(chan bool), sync.WaitGroup{}
	for _, f := range feeds {
		for p := range f.acked {
			f.acked[p] = map[int64]int{}
		}
		c.create(f.topic, parts)
		want.Topics = append(want.Topics, f.topic)
	}
	all := newTaken()
	tail := c.Join(want, all.take)
	for _, f := range feeds {
		ended.Add(1)
		go f.run(c, enough, &ended)
		await("the first records are acknowledged", func() bool { return f.count() > 1000 })
	}
	c.made("loading")
	for !c.there("enough") {
		time.Sleep(20 * time.Millisecond)
	}
	close(enough)
	ended.Wait()
	acks := 0
	for _, f := range feeds {
		acks += f.acks
		for p := int32(0); p < parts; p++ {
			await("the group has what was acknowledged", func() bool { return all.all(Part{f.topic, p}, f.acked[p]) })
		}
	}
	must(tail.Leave())
	c.made("flushed")
	for !c.there("again") {
		time.Sleep(20 * time.Millisecond)
	}
	for _, f := range feeds {
		f.check(c)
	}
	kept, err := c.Committed(want.Group)
	must(err)
	Require(len(kept) > 0 && reflect.DeepEqual(kept, tail.Committed()), "committed was %v, kept is %v", tail.Committed(), kept)
	return fmt.Sprintf("%d acknowledged, all there; so is what the group committed", acks)
}
