// SPDX-License-Identifier: Apache-2.0

// Package course is what clients.sh asks of every client, for those in Go: each is behind one interface.
package course

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type Header struct {
	Key   string
	Value []byte
}

type Record struct {
	Topic      string
	Partition  int32
	Offset     int64
	Key, Value []byte
	Headers    []Header
	Millis     int64 // 0: now
}

type Part struct {
	Topic     string
	Partition int32
}

const (
	Last  = -1 // times that Offset understands
	First = -2
)

// Producer sends to the record's partition, or by key where it was made so.  Done is called for each, in any
// goroutine; Close waits for all of them.
type Producer interface {
	Send(r Record, done func(Record, error))
	Close()
}

type Want struct {
	Group    string
	Topics   []string
	Pattern  string // instead of topics
	Strategy string
	Instance string
	Reset    string        // earliest (""), latest or none
	Every    time.Duration // commit so often, besides when partitions are revoked and at the end; 0: only then
}

// Member is in a group until it leaves; what it takes it gives away before it commits it.
type Member interface {
	Assigned() []Part
	Rebalances() int
	Committed() map[Part]int64 // what it knows to be committed
	Failed() error
	Leave() error
}

type Client interface {
	Create(topic string, partitions int, configs map[string]string) error
	Grow(topic string, partitions int) error
	Cut(topic string, partition int32, before int64) error
	Delete(topic string) error
	Topics() ([]string, error)
	Producer(codec string, idempotent, byKey bool) Producer
	Read(topic string, partitions int, take func(Record) (more bool)) // from the beginning
	Offset(topic string, partition int32, millis int64) (int64, error)
	Group(group string) (state string, members int, err error)
	DeleteGroup(group string) error
	Commit(group string, part Part, offset int64) error
	Committed(group string) (map[Part]int64, error)
	Join(want Want, take func(Record)) Member
	Close()
}

// Has says what the client can do.
type Has struct {
	Idempotent, Static, Pattern bool
	Nulls                       bool // tell null from empty when they read
	Exact                       bool // a rebalance makes nothing be read twice
	Strategies                  []string
	Resets                      []string
}

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

type run struct {
	Client
	has     Has
	address string
	name    string
	dir     string
	records int
}

// Run is main: the arguments are those of clients.sh.
func Run(has Has, open func(address string) Client) {
	c := &run{has: has, address: os.Args[1], name: os.Args[2], dir: os.Args[3]}
	c.records, _ = strconv.Atoi(os.Args[4])
	c.Client = open(c.address)
	for _, step := range os.Args[5:] {
		began := time.Now()
		said := map[string]func() string{"basic": c.basic, "order": c.order, "groups": c.groups, "load": c.load}[step]()
		fmt.Printf("%s: %s (%.1f s)\n", step, said, time.Since(began).Seconds())
	}
	c.Close()
}

func Require(holds bool, format string, args ...any) {
	if !holds {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
}

func must(err error) { Require(err == nil, "%v", err) }

func await(what string, done func() bool) {
	for end := time.Now().Add(60 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		Require(time.Now().Before(end), "waited 60 s in vain until %s", what)
	}
}

// Apache Kafka tells of a topic or a partition before it has it, which its clients forgive; not all of these do.
func settle() {
	if os.Getenv("BROKER") == "kafka" {
		time.Sleep(500 * time.Millisecond)
	}
}

func (c *run) create(topic string, partitions int) {
	// The records of the step basic are old.
	must(c.Create(topic, partitions, map[string]string{"max.message.bytes": "12000000", "retention.ms": "-1"}))
	settle()
}

func (c *run) listed(topic string) bool {
	topics, err := c.Topics()
	must(err)
	for _, t := range topics {
		if t == topic {
			return true
		}
	}
	return false
}

// ---- basic ----

var (
	sizes = []int{1, 100, 10_000, 1_000_000, 10_000_000}
	noise = makeNoise()
)

const epoch = 1_700_000_000_000

// No codec finds it repeated within its window; half of it is noise, which is all that stays.
func makeNoise() []byte {
	all := make([]byte, 1<<17)
	rand.New(rand.NewSource(1)).Read(all)
	for at := range all {
		if at&1024 != 0 {
			all[at] = 0
		}
	}
	return all
}

func value(size, seed int) []byte {
	if size < 0 {
		return nil
	}
	v := make([]byte, size)
	for at := 0; at < size; at += len(noise) {
		copy(v[at:], noise)
	}
	if size > 0 {
		v[0] = byte(seed)
	}
	return v
}

type sent struct {
	Record
	size, seed int
}

func (c *run) basic() string {
	topic := c.name + "-basic"
	c.create(topic, 2)
	await("the topic is listed", func() bool { return c.listed(topic) })
	must(c.Grow(topic, 4))
	settle()
	headers := []Header{{"h", []byte("1")}, {"h", []byte{}}, {"n", nil}}
	var all []sent
	for i, codec := range codecs {
		to := c.Producer(codec, c.has.Idempotent && i != 1, false)
		send := func(partition int, key []byte, size int) {
			s := sent{size: size, seed: len(all)}
			s.Record = Record{Topic: topic, Partition: int32(partition), Key: key, Value: value(size, len(all)), Headers: headers,
				Millis: epoch + int64(len(all))*1000}
			done := make(chan error, 1)
			to.Send(s.Record, func(r Record, err error) {
				s.Offset = r.Offset
				done <- err
			})
			must(<-done)
			s.Value = nil
			all = append(all, s)
		}
		for n, size := range sizes {
			send(n%4, []byte(codec+strconv.Itoa(n)), size)
		}
		send(0, nil, 10)
		send(0, []byte("k"), -1)
		send(0, []byte{}, 0)
		to.Close()
	}
	got := map[Part]map[int64]Record{}
	count := 0
	c.Read(topic, 4, func(r Record) bool {
		part := Part{topic, r.Partition}
		if got[part] == nil {
			got[part] = map[int64]Record{}
		}
		got[part][r.Offset] = r
		count++
		return count < len(all)
	})
	for _, s := range all {
		c.checkRecord(got[Part{topic, s.Partition}][s.Offset], s)
	}
	c.lookups(topic, all)
	if c.cut(topic, 3) {
		first, err := c.Offset(topic, 0, First)
		Require(err == nil && first == 3, "after a cut at 3 the first is %d, %v", first, err)
	}
	must(c.Delete(topic))
	await("the topic is gone", func() bool { return !c.listed(topic) })
	kinds := "idempotent and not, "
	if !c.has.Idempotent {
		kinds = ""
	}
	return fmt.Sprintf("%d records, %d codecs, %s1 B to 10 MB", len(all), len(codecs), kinds)
}

// Some clients have no DeleteRecords.
func (c *run) cut(topic string, before int64) bool {
	err := c.Cut(topic, 0, before)
	if errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	must(err)
	return true
}

func (c *run) same(a, b []byte) bool {
	return bytes.Equal(a, b) && (!c.has.Nulls || (a == nil) == (b == nil))
}

func (c *run) checkRecord(r Record, s sent) {
	where := fmt.Sprintf("%s-%d at %d", s.Topic, s.Partition, s.Offset)
	Require(c.same(r.Key, s.Key), "%s has key %q, not %q", where, r.Key, s.Key)
	Require(c.same(r.Value, value(s.size, s.seed)), "%s has another value", where)
	Require(r.Millis == s.Millis, "%s has time %d, not %d", where, r.Millis, s.Millis)
	Require(len(r.Headers) == len(s.Headers), "%s has headers %q", where, r.Headers)
	for i, h := range s.Headers {
		Require(r.Headers[i].Key == h.Key && c.same(r.Headers[i].Value, h.Value), "%s has headers %q", where, r.Headers)
	}
}

func (c *run) lookups(topic string, all []sent) {
	total := int64(0)
	for p := int32(0); p < 4; p++ {
		first, err := c.Offset(topic, p, First)
		must(err)
		last, err := c.Offset(topic, p, Last)
		must(err)
		Require(first == 0, "partition %d begins at %d", p, first)
		total += last
	}
	Require(total == int64(len(all)), "%d records are there", total)
	for _, s := range all {
		for before := int64(0); before < 2; before++ {
			at, err := c.Offset(topic, s.Partition, s.Millis-before)
			Require(err == nil && at == s.Offset, "the record at %d, %d is found at %d, %v", s.Partition, s.Offset, at, err)
		}
	}
}

// ---- order ----

const keys = 1000

func (c *run) order() string {
	topic := c.name + "-order"
	c.create(topic, 8)
	to := c.Producer("lz4", c.has.Idempotent, true)
	next := make([]int, keys)
	for i := 0; i < c.records; i++ {
		key := i * 7919 % keys
		to.Send(Record{Topic: topic, Key: []byte("key-" + strconv.Itoa(key)),
			Value: []byte(fmt.Sprintf("%d:%d:some more of it", key, next[key]))}, func(_ Record, err error) { must(err) })
		next[key]++
	}
	to.Close()
	seen, home, total := make([]int, keys), make([]int32, keys), 0
	c.Read(topic, 8, func(r Record) bool {
		text := strings.Split(string(r.Value), ":")
		key, _ := strconv.Atoi(text[0])
		n, _ := strconv.Atoi(text[1])
		Require(n == seen[key], "key %d: %d after %d records", key, n, seen[key])
		Require(n == 0 || home[key] == r.Partition, "key %d is in two partitions", key)
		seen[key]++
		home[key] = r.Partition
		total++
		return total < c.records
	})
	ends := int64(0)
	for p := int32(0); p < 8; p++ {
		end, err := c.Offset(topic, p, Last)
		must(err)
		ends += end
	}
	Require(ends == int64(c.records), "%d records are there", ends)
	return fmt.Sprintf("%d records in order of %d keys", c.records, keys)
}

func (c *run) made(what string) {
	f, err := os.Create(filepath.Join(c.dir, what))
	must(err)
	f.Close()
}

func (c *run) there(what string) bool {
	_, err := os.Stat(filepath.Join(c.dir, what))
	return err == nil
}
