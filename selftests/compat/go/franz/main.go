// SPDX-License-Identifier: Apache-2.0

// franz-go through what clients.sh asks.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice.selftests/clients/course"
)

var background = context.Background()

type client struct {
	address string
	plain   *kgo.Client
	admin   *kadm.Client
}

func open(address string) course.Client {
	c := &client{address: address}
	c.plain = c.make()
	c.admin = kadm.NewClient(c.plain)
	return c
}

func (c *client) make(options ...kgo.Opt) *kgo.Client {
	all := []kgo.Opt{kgo.SeedBrokers(c.address), kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.FetchMaxPartitionBytes(12_000_000)}
	one, err := kgo.NewClient(append(all, options...)...)
	course.Require(err == nil, "%v", err)
	return one
}

func (c *client) Close() { c.plain.Close() }

func (c *client) Create(topic string, partitions int, configs map[string]string) error {
	all := map[string]*string{}
	for key, value := range configs {
		all[key] = &value
	}
	_, err := c.admin.CreateTopic(background, int32(partitions), 1, all, topic)
	return err
}

func (c *client) Grow(topic string, partitions int) error {
	r, err := c.admin.UpdatePartitions(background, partitions, topic)
	return errors.Join(err, r.Error())
}

func (c *client) Cut(topic string, partition int32, before int64) error {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, before, -1)
	r, err := c.admin.DeleteRecords(background, offsets)
	return errors.Join(err, r.Error())
}

func (c *client) Delete(topic string) error {
	_, err := c.admin.DeleteTopic(background, topic)
	return err
}

func (c *client) Topics() ([]string, error) {
	topics, err := c.admin.ListTopics(background)
	return topics.Names(), err
}

func (c *client) Offset(topic string, partition int32, millis int64) (int64, error) {
	ask := func() (kadm.ListedOffsets, error) { return c.admin.ListOffsetsAfterMilli(background, millis, topic) }
	switch millis {
	case course.Last:
		ask = func() (kadm.ListedOffsets, error) { return c.admin.ListEndOffsets(background, topic) }
	case course.First:
		ask = func() (kadm.ListedOffsets, error) { return c.admin.ListStartOffsets(background, topic) }
	}
	listed, err := ask()
	one, _ := listed.Lookup(topic, partition)
	return one.Offset, errors.Join(err, one.Err)
}

func (c *client) Group(group string) (string, int, error) {
	described, err := c.admin.DescribeGroups(background, group)
	return described[group].State, len(described[group].Members), err
}

func (c *client) DeleteGroup(group string) error {
	r, err := c.admin.DeleteGroup(background, group)
	return errors.Join(err, r.Err)
}

func (c *client) Commit(group string, part course.Part, offset int64) error {
	offsets := kadm.Offsets{}
	offsets.AddOffset(part.Topic, part.Partition, offset, -1)
	return c.admin.CommitAllOffsets(background, group, offsets)
}

func (c *client) Committed(group string) (map[course.Part]int64, error) {
	fetched, err := c.admin.FetchOffsets(background, group)
	all := map[course.Part]int64{}
	fetched.Each(func(o kadm.OffsetResponse) { all[course.Part{Topic: o.Topic, Partition: o.Partition}] = o.At })
	return all, errors.Join(err, fetched.Error())
}

// ---- producing and reading ----

type producer struct{ *kgo.Client }

func (c *client) Producer(codec string, idempotent, byKey bool) course.Producer {
	options := []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(12_000_000),
		kgo.ProducerLinger(2 * time.Millisecond),
		kgo.ProducerBatchCompression(map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
			"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}[codec])}
	if !byKey {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	return producer{c.make(options...)}
}

func (p producer) Send(r course.Record, done func(course.Record, error)) {
	one := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		one.Headers = append(one.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if r.Millis != 0 {
		one.Timestamp = time.UnixMilli(r.Millis)
	}
	p.Produce(background, one, func(at *kgo.Record, err error) {
		r.Partition, r.Offset = at.Partition, at.Offset
		done(r, err)
	})
}

func (p producer) Close() {
	err := p.Flush(background)
	course.Require(err == nil, "%v", err)
	p.Client.Close()
}

func record(from *kgo.Record) course.Record {
	r := course.Record{Topic: from.Topic, Partition: from.Partition, Offset: from.Offset, Key: from.Key, Value: from.Value,
		Millis: from.Timestamp.UnixMilli()}
	for _, h := range from.Headers {
		r.Headers = append(r.Headers, course.Header{Key: h.Key, Value: h.Value})
	}
	return r
}

func (c *client) Read(topic string, partitions int, take func(course.Record) bool) {
	all := map[int32]kgo.Offset{}
	for p := 0; p < partitions; p++ {
		all[int32(p)] = kgo.NewOffset().AtStart()
	}
	from := c.make(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: all}))
	defer from.Close()
	for more := true; more; {
		ctx, cancel := context.WithTimeout(background, time.Minute)
		fetches := from.PollFetches(ctx)
		cancel()
		course.Require(fetches.Err() == nil, "%v", fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { more = more && take(record(r)) })
	}
}

// ---- groups ----

type member struct {
	*course.Own
	client *kgo.Client
	leave  chan bool
	left   chan error
}

func (c *client) Join(want course.Want, take func(course.Record)) course.Member {
	m := &member{Own: course.NewOwn(), leave: make(chan bool), left: make(chan error, 1)}
	reset := map[string]kgo.Offset{"": kgo.NewOffset().AtStart(), "earliest": kgo.NewOffset().AtStart(),
		"latest": kgo.NewOffset().AtEnd()}[want.Reset]
	options := []kgo.Opt{kgo.ConsumerGroup(want.Group), kgo.ConsumeResetOffset(reset), kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.SessionTimeout(20 * time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { m.Gain(parts) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, cl *kgo.Client, parts map[string][]int32) {
			if err := m.commit(cl); err != nil && want.Every == 0 {
				m.Fail(err)
			}
			m.Lose(parts)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { m.Lose(parts) })}
	if want.Pattern != "" {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(want.Pattern))
	} else {
		options = append(options, kgo.ConsumeTopics(want.Topics...))
	}
	if want.Instance != "" {
		options = append(options, kgo.InstanceID(want.Instance))
	}
	if want.Strategy == "range" {
		options = append(options, kgo.Balancers(kgo.RangeBalancer()))
	}
	m.client = c.make(options...)
	go m.run(want.Every, take)
	return m
}

func (m *member) commit(cl *kgo.Client) error {
	positions := m.Positions()
	if len(positions) == 0 {
		return nil
	}
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for part, offset := range positions {
		if offsets[part.Topic] == nil {
			offsets[part.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[part.Topic][part.Partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	var failed error
	cl.CommitOffsetsSync(background, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if err != nil {
			return
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				failed = errors.Join(failed, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	})
	if failed == nil {
		m.Commits(positions)
	}
	return failed
}

func (m *member) run(every time.Duration, take func(course.Record)) {
	last := time.Now()
	for {
		ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
		fetches := m.client.PollFetches(ctx)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			take(record(r))
			m.Took(course.Part{Topic: r.Topic, Partition: r.Partition}, r.Offset)
		})
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) && every == 0 {
				m.Fail(err)
			}
		})
		if every != 0 && time.Since(last) > every {
			m.commit(m.client) // what matters is what was acknowledged
			last = time.Now()
		}
		select {
		case <-m.leave:
			err := m.commit(m.client)
			for until := time.Now().Add(time.Minute); err != nil && m.Failed() == nil && time.Now().Before(until); {
				m.client.AllowRebalance()
				time.Sleep(50 * time.Millisecond)
				err = m.commit(m.client)
			}
			m.client.CloseAllowingRebalance()
			m.Lose(nil)
			m.left <- err
			return
		default:
		}
		m.client.AllowRebalance()
	}
}

func (m *member) Leave() error {
	m.leave <- true
	return errors.Join(<-m.left, m.Failed())
}

func main() {
	course.Run(course.Has{Idempotent: true, Static: true, Pattern: true, Nulls: true, Exact: true,
		Strategies: []string{"range", "cooperative"}, Resets: []string{"earliest", "latest"}}, open)
}
