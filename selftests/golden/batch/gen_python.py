# SPDX-License-Identifier: Apache-2.0
"""The same records in a batch by kafka-python's own builder: gen_python.py CODEC OUT."""
import sys
from kafka.record.default_records import DefaultRecordBatchBuilder

codec = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}[sys.argv[1]]
builder = DefaultRecordBatchBuilder(magic=2, compression_type=codec, is_transactional=False, producer_id=-1,
                                    producer_epoch=-1, base_sequence=-1, batch_size=1 << 20)
rows = [(b"key", b"value"), (None, b"no key"), (b"no value", None), (None, None), (b"", b"")]
for i in range(25):
    key, value = rows[i % 5]
    headers = [] if i % 3 != 1 else [("h%d" % i, b"header value"), ("", None), ("empty", b"")]
    builder.append(i, 1700000000000 + i * 1000 % 7000, key, value, headers)
builder.append(25, 1700000000000, b"long", b"0123456789abcdef" * 5000, [])
open(sys.argv[2], "wb").write(bytes(builder.build()))
