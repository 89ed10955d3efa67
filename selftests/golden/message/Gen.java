/* SPDX-License-Identifier: Apache-2.0 */
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.UnalignedMemoryRecords;
import org.apache.kafka.common.requests.AbstractRequest;

/*
 * Every message that Kafka's generator made a class for, at every version, filled with the values
 * of selftests/unit/message_fill.h and written by Kafka itself: Gen OUT REFUSED.  See make.sh.
 *
 * OUT is, for each message and version: the name (its size in a byte), the version (a byte), and
 * SEEDS times a size (two bytes, big-endian) and that many bytes.  Seed 0 leaves the defaults; in
 * the last one each struct of a flexible version also carries a tag that nobody knows.
 *
 * REFUSED is, for each request that the controller gets and each version, its key (a byte), the
 * version (a byte), and for the seeds 1 and 2 the response that refuses it as a whole, with a size
 * before it: as timed out without a message, and as an invalid request because of "why".
 */
public class Gen {
	static final int SEEDS = 6;

	/* ---- the values ---- */

	static long mix(long z) {
		z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
		z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
		return z ^ (z >>> 31);
	}

	static class Prng {
		long state;
		Prng(long seed) { state = seed; }
		long next() { return mix(state += 0x9e3779b97f4a7c15L); }
	}

	static long step(long path, long x) {
		return new Prng(path ^ (x + 1) * 0xff51afd7ed558ccdL).next();
	}

	static long name(long path, String name) {
		for (byte b : name.getBytes(StandardCharsets.UTF_8))
			path = (path ^ (b & 0xff)) * 0x100000001b3L;
		return step(path, 0);
	}

	static long number(Prng p, int shape, int bits) {
		return switch (shape) {
		case 0 -> 0;
		case 1 -> 1L << (bits - 1);
		case 2 -> (1L << (bits - 1)) - 1;
		case 3 -> -1;
		default -> p.next();
		};
	}

	static int size(int shape, long extra) {
		return shape == 1 ? 0 : (int) (shape == 2 ? 130 + extra % 200 : 1 + extra % 12);
	}

	static String string(int shape, long extra) {
		StringBuilder text = new StringBuilder();
		for (int i = 0; i < size(shape, extra); i++)
			text.append(shape == 3 ? 'é' : (char) ('a' + (extra % 26 + i) % 26));
		return text.toString();
	}

	static byte[] bytes(int shape, long extra) {
		byte[] data = new byte[size(shape, extra)];
		for (int i = 0; i < data.length; i++)
			data[i] = (byte) (extra + 7L * i);
		return data;
	}

	/* ---- into Kafka's classes ---- */

	short version;
	boolean unknownTags;

	static String snake(String camel) {
		StringBuilder out = new StringBuilder();
		boolean capital = true;
		for (char c : camel.toCharArray()) {
			if (Character.isUpperCase(c) && !capital)
				out.append('_');
			capital = Character.isUpperCase(c);
			out.append(Character.toLowerCase(c));
		}
		return out.toString();
	}

	static Field find(Class<?> in, String name) {
		for (Field f : in.getDeclaredFields()) {
			if (!Modifier.isStatic(f.getModifiers()) && f.getName().equalsIgnoreCase(name.replace("_", ""))) {
				f.setAccessible(true);
				return f;
			}
		}
		throw new IllegalStateException(in + " has no field " + name);
	}

	static Object integer(Class<?> c, long value, int bits) {
		if (c == byte.class || c == Byte.class)
			return (byte) value;
		if (c == short.class || c == Short.class)
			return (short) value;
		if (c == int.class || c == Integer.class) /* also u16 */
			return bits == 16 ? (Object) (int) (value & 0xffff) : (Object) (int) value;
		return bits == 32 ? value & 0xffffffffL : value;
	}

	static Object blob(Class<?> c, byte[] data) {
		if (c == byte[].class)
			return data;
		if (c == ByteBuffer.class)
			return ByteBuffer.wrap(data);
		MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(data));
		return c.isInstance(records) ? records : new UnalignedMemoryRecords(ByteBuffer.wrap(data));
	}

	Object value(Class<?> c, Type type, long path, int depth, boolean element) throws Exception {
		Prng p = new Prng(path);
		long r = p.next();
		int shape = (int) (r & 15);
		long extra = (r >>> 8) & 0xffffffffL;

		if (type instanceof Schema schema) {
			Object sub = c.getConstructor().newInstance();
			struct(sub, schema, path, depth);
			return sub;
		}
		if (type == Type.BOOLEAN)
			return (extra & 1) != 0;
		if (type == Type.INT8)
			return integer(c, number(p, shape, 8), 8);
		if (type == Type.INT16 || type == Type.UINT16)
			return integer(c, number(p, shape, 16), 16);
		if (type == Type.INT32 || type == Type.UNSIGNED_INT32)
			return integer(c, number(p, shape, 32), 32);
		if (type == Type.INT64)
			return number(p, shape, 64);
		if (type == Type.FLOAT64)
			return (double) (int) number(p, shape, 32) / 8;
		if (type == Type.UUID)
			return shape == 0 ? Uuid.ZERO_UUID : new Uuid(p.next(), p.next());
		if (shape == 0 && !element && type.isNullable())
			return null;
		if (c == String.class)
			return string(shape, extra);
		return blob(c, bytes(shape, extra));
	}

	@SuppressWarnings("unchecked")
	Object array(Field f, Type type, long path, int depth) throws Exception {
		Prng p = new Prng(path);
		long r = p.next();
		int shape = (int) (r & 15);
		int count = (int) (1 + ((r >>> 8) & 0xffffffffL) % (depth < 2 ? 3 : 2));
		Type element = type.arrayElementType().get();
		Class<?> c;
		Collection<Object> out;

		if (shape < 3)
			count = 0;
		else if (shape == 3 && element == Type.INT32)
			count = 130;
		if (shape == 0 && type.isNullable())
			return null;
		if (f.getType() == List.class) {
			c = (Class<?>) ((ParameterizedType) f.getGenericType()).getActualTypeArguments()[0];
			out = new ArrayList<>();
		} else {
			c = Class.forName(f.getType().getName().replaceFirst("Collection$", ""));
			out = (Collection<Object>) f.getType().getConstructor().newInstance();
		}
		for (int i = 0; i < count; i++)
			if (!out.add(value(c, element, step(path, i), depth + 1, true)))
				throw new IllegalStateException(f + " takes no second one");
		return out;
	}

	void field(Object in, org.apache.kafka.common.protocol.types.Field def, long path, int depth) throws Exception {
		Field f = find(in.getClass(), def.name);
		long to = name(path, def.name);

		if (def.type.isArray())
			f.set(in, array(f, def.type, to, depth));
		else if (def.type instanceof Schema && def.type.isNullable() && (new Prng(to).next() & 3) == 0)
			f.set(in, null);
		else
			f.set(in, value(f.getType(), def.type, to, depth, false));
	}

	void struct(Object in, Schema schema, long path, int depth) throws Exception {
		for (BoundField b : schema.fields()) {
			if (b.def.type instanceof TaggedFields tags) {
				for (var def : tags.fields().values())
					field(in, def, path, depth);
				if (unknownTags)
					((Message) in).unknownTaggedFields().add(
						new RawTaggedField(1000, "unknown".getBytes()));
			} else {
				field(in, b.def, path, depth);
			}
		}
	}

	/* ---- out of them ---- */

	static byte[] write(Message m, short version) {
		ObjectSerializationCache cache = new ObjectSerializationCache();
		ByteBuffer out = ByteBuffer.allocate(m.size(cache, version));
		m.write(new ByteBufferAccessor(out), cache, version);
		if (out.hasRemaining())
			throw new IllegalStateException(m.getClass() + ": another size than said");
		return out.array();
	}

	static void message(String noun, Class<?> c, DataOutputStream out) throws Exception {
		Schema[] schemas = (Schema[]) c.getField("SCHEMAS").get(null);

		for (short v = c.getField("LOWEST_SUPPORTED_VERSION").getShort(null); v < schemas.length; v++) {
			out.writeByte(noun.length());
			out.writeBytes(noun);
			out.writeByte(v);
			for (int seed = 0; seed < SEEDS; seed++) {
				Message m = (Message) c.getConstructor().newInstance();
				Gen gen = new Gen();
				gen.version = v;
				gen.unknownTags = seed == SEEDS - 1;
				if (seed != 0)
					gen.struct(m, schemas[v], step(name(seed, noun), v), 0);
				byte[] data = write(m, v);
				if (data.length > 65535)
					throw new IllegalStateException(noun + ": too long");
				out.writeShort(data.length);
				out.write(data);
			}
		}
	}

	static final int[] CONTROLLERS = { 19, 20, 33, 37, 43, 44, 45, 46, 49, 56, 57, 62, 63, 64, 67, 70, 73 };

	static void refused(ApiMessageType type, DataOutputStream out) throws Exception {
		for (short v = type.lowestSupportedVersion(); v <= type.highestSupportedVersion(true); v++) {
			out.writeByte(type.apiKey());
			out.writeByte(v);
			for (int seed = 1; seed <= 2; seed++) {
				Message m = type.newRequest();
				String noun = snake(m.getClass().getSimpleName().replaceFirst("Data$", ""));
				new Gen().struct(m, type.requestSchemas()[v], step(name(seed, noun), v), 0);
				var request = AbstractRequest.parseRequest(ApiKeys.forId(type.apiKey()), v,
					new ByteBufferAccessor(ByteBuffer.wrap(write(m, v)))).request;
				var response = request.getErrorResponse(0, seed == 1 ? new TimeoutException()
				                                                     : new InvalidRequestException("why"));
				byte[] data = write(response.data(), v);
				out.writeShort(data.length);
				out.write(data);
			}
		}
	}

	/* The generated classes are those that say so: messages with schemas. */
	static TreeMap<String, Class<?>> classes() throws Exception {
		TreeMap<String, Class<?>> found = new TreeMap<>();
		for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
			if (!new File(path).getName().matches("kafka-(?!streams).*"))
				continue;
			try (JarFile jar = new JarFile(path)) {
				for (var e : (Iterable<java.util.jar.JarEntry>) jar.stream()::iterator) {
					if (!e.getName().matches("org/apache/kafka/.*(message|generated|metadata)/\\w+\\.class"))
						continue;
					Class<?> c = Class.forName(e.getName().replace(".class", "").replace('/', '.'));
					if (!Message.class.isAssignableFrom(c) || c.isInterface())
						continue;
					String name = c.getSimpleName();
					if (name.matches(".*(Request|Response|Header)Data"))
						name = name.substring(0, name.length() - 4);
					if (name.startsWith("Remote") || name.startsWith("SimpleExample"))
						continue; /* of tiered storage; of a test */
					if (found.put(snake(name), c) != null)
						throw new IllegalStateException("two of " + name);
				}
			}
		}
		return found;
	}

	public static void main(String[] args) throws Exception {
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		DataOutputStream out = new DataOutputStream(bytes);
		for (var e : classes().entrySet())
			message(e.getKey(), e.getValue(), out);
		Files.write(Path.of(args[0]), bytes.toByteArray());
		bytes.reset();
		for (int key : CONTROLLERS)
			refused(ApiMessageType.fromApiKey((short) key), out);
		Files.write(Path.of(args[1]), bytes.toByteArray());
	}
}
