// SPDX-License-Identifier: Apache-2.0

// sarama through what clients.sh asks.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"sluice.selftests/clients/course"
)

type client struct {
	address string
	plain   sarama.Client
	admin   sarama.ClusterAdmin
}

func must(err error) { course.Require(err == nil, "%v", err) }

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Metadata.RefreshFrequency = time.Second
	c.Metadata.Retry.Max = 100
	c.Admin.Retry.Max = 100
	c.Consumer.Fetch.Default = 12_000_000
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Return.Errors = true
	c.ChannelBufferSize = 256
	return c
}

func open(address string) course.Client {
	c := &client{address: address}
	var err error
	c.plain, err = sarama.NewClient([]string{address}, config())
	must(err)
	c.admin, err = sarama.NewClusterAdminFromClient(c.plain)
	must(err)
	return c
}

func (c *client) Close() { c.admin.Close() }

func (c *client) Create(topic string, partitions int, configs map[string]string) error {
	all := map[string]*string{}
	for key, value := range configs {
		all[key] = &value
	}
	return c.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1,
		ConfigEntries: all}, false)
}

func (c *client) Grow(topic string, partitions int) error {
	return c.admin.CreatePartitions(topic, int32(partitions), nil, false)
}

func (c *client) Cut(topic string, partition int32, before int64) error {
	return c.admin.DeleteRecords(topic, map[int32]int64{partition: before})
}

func (c *client) Delete(topic string) error { return c.admin.DeleteTopic(topic) }

func (c *client) Topics() ([]string, error) {
	topics, err := c.admin.ListTopics()
	var names []string
	for name := range topics {
		names = append(names, name)
	}
	return names, err
}

func (c *client) Offset(topic string, partition int32, millis int64) (int64, error) {
	// Its numbers for the last and the first are those of the protocol.
	return c.plain.GetOffset(topic, partition, millis)
}

func (c *client) Group(group string) (string, int, error) {
	described, err := c.admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return "", 0, err
	}
	return described[0].State, len(described[0].Members), nil
}

func (c *client) DeleteGroup(group string) error { return c.admin.DeleteConsumerGroup(group) }

func (c *client) Commit(group string, part course.Part, offset int64) error {
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{part.Topic: {part.Partition: {Offset: offset, LeaderEpoch: -1}}}
	_, err := c.admin.AlterConsumerGroupOffsets(group, offsets, nil)
	return err
}

func (c *client) Committed(group string) (map[course.Part]int64, error) {
	all := map[course.Part]int64{}
	fetched, err := c.admin.ListConsumerGroupOffsets(group, nil)
	if err != nil {
		return all, err
	}
	for topic, blocks := range fetched.Blocks {
		for id, block := range blocks {
			all[course.Part{Topic: topic, Partition: id}] = block.Offset
		}
	}
	return all, nil
}

// ---- producing and reading ----

type pending struct {
	record course.Record
	done   func(course.Record, error)
}

type producer struct {
	sarama.AsyncProducer
	ended sync.WaitGroup
}

func (c *client) Producer(codec string, idempotent, byKey bool) course.Producer {
	conf := config()
	conf.Producer.RequiredAcks = sarama.WaitForAll
	conf.Producer.MaxMessageBytes = 12_000_000
	conf.Producer.Return.Successes = true
	conf.Producer.Flush.Frequency = 2 * time.Millisecond
	conf.Producer.Retry.Max = 200
	conf.Producer.Compression = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[codec]
	conf.Net.MaxOpenRequests = 1
	conf.Producer.Idempotent = idempotent
	if !byKey {
		conf.Producer.Partitioner = sarama.NewManualPartitioner
	}
	one, err := sarama.NewAsyncProducer([]string{c.address}, conf)
	must(err)
	p := &producer{AsyncProducer: one}
	p.ended.Add(2)
	go func() {
		for m := range one.Successes() {
			finish(m, nil)
		}
		p.ended.Done()
	}()
	go func() {
		for e := range one.Errors() {
			finish(e.Msg, e.Err)
		}
		p.ended.Done()
	}()
	return p
}

func finish(m *sarama.ProducerMessage, err error) {
	p := m.Metadata.(pending)
	p.record.Partition, p.record.Offset = m.Partition, m.Offset
	p.done(p.record, err)
}

func encoder(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (p *producer) Send(r course.Record, done func(course.Record, error)) {
	m := &sarama.ProducerMessage{Topic: r.Topic, Partition: r.Partition, Key: encoder(r.Key), Value: encoder(r.Value),
		Metadata: pending{r, done}}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	if r.Millis != 0 {
		m.Timestamp = time.UnixMilli(r.Millis)
	}
	p.Input() <- m
}

func (p *producer) Close() {
	p.AsyncClose()
	p.ended.Wait()
}

func record(m *sarama.ConsumerMessage) course.Record {
	r := course.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value,
		Millis: m.Timestamp.UnixMilli()}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, course.Header{Key: string(h.Key), Value: h.Value})
	}
	return r
}

func (c *client) Read(topic string, partitions int, take func(course.Record) bool) {
	all := make(chan *sarama.ConsumerMessage)
	from, err := sarama.NewConsumer([]string{c.address}, config())
	must(err)
	var open []sarama.PartitionConsumer
	stop := make(chan bool)
	for p := 0; p < partitions; p++ {
		one, err := from.ConsumePartition(topic, int32(p), sarama.OffsetOldest)
		must(err)
		open = append(open, one)
		go func() {
			for m := range one.Messages() {
				select {
				case all <- m:
				case <-stop:
				}
			}
		}()
		go func() {
			for err := range one.Errors() {
				must(err)
			}
		}()
	}
	for more := true; more; {
		select {
		case m := <-all:
			more = take(record(m))
		case <-time.After(time.Minute):
			course.Require(false, "nothing to read in a minute")
		}
	}
	close(stop)
	for _, one := range open {
		must(one.Close())
	}
	must(from.Close())
}

// ---- groups ----

type member struct {
	*course.Own
	group  sarama.ConsumerGroup
	every  time.Duration
	take   func(course.Record)
	cancel context.CancelFunc
	left   chan bool
}

func (c *client) Join(want course.Want, take func(course.Record)) course.Member {
	conf := config()
	conf.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	conf.Consumer.Group.Session.Timeout = 20 * time.Second
	conf.Consumer.Group.InstanceId = want.Instance
	conf.Consumer.Group.Rebalance.Retry.Max = 200
	conf.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	conf.Consumer.Offsets.Retry.Max = 3
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	if want.Reset == "latest" {
		conf.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	strategy := map[string]sarama.BalanceStrategy{"": sarama.NewBalanceStrategyRange(), "range": sarama.NewBalanceStrategyRange(),
		"sticky": sarama.NewBalanceStrategySticky()}[want.Strategy]
	conf.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	group, err := sarama.NewConsumerGroup([]string{c.address}, want.Group, conf)
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Own: course.NewOwn(), group: group, every: want.Every, take: take, cancel: cancel, left: make(chan bool)}
	go m.run(ctx, want.Topics)
	go func() {
		for err := range group.Errors() {
			if errors.Is(err, sarama.ErrFencedInstancedId) {
				m.Fail(err)
			}
		}
	}()
	return m
}

func (m *member) run(ctx context.Context, topics []string) {
	for ctx.Err() == nil {
		err := m.group.Consume(ctx, topics, m)
		if errors.Is(err, sarama.ErrFencedInstancedId) {
			m.Fail(err)
			break
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond) // the broker is away
		}
	}
	close(m.left)
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.Gain(s.Claims())
	return nil
}

// commit does not learn whether it was acknowledged; when the last one is due, the broker is there.
func (m *member) commit(s sarama.ConsumerGroupSession) {
	for part, offset := range m.Positions() {
		s.MarkOffset(part.Topic, part.Partition, offset, "")
	}
	s.Commit()
}

func (m *member) Cleanup(s sarama.ConsumerGroupSession) error {
	m.commit(s)
	m.Commits(m.Positions())
	m.Lose(nil)
	return nil
}

func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	var tick <-chan time.Time
	if m.every != 0 {
		ticker := time.NewTicker(m.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case msg, more := <-claim.Messages():
			if !more {
				return nil
			}
			m.take(record(msg))
			m.Took(course.Part{Topic: msg.Topic, Partition: msg.Partition}, msg.Offset)
		case <-tick:
			m.commit(s)
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *member) Leave() error {
	m.cancel()
	<-m.left
	return errors.Join(m.group.Close(), m.Failed())
}

func main() {
	course.Run(course.Has{Idempotent: true, Static: true, Nulls: true, Exact: true, Strategies: []string{"range", "sticky"},
		Resets: []string{"earliest", "latest"}}, open)
}
