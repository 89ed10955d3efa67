/* SPDX-License-Identifier: Apache-2.0 */
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.Endpoint;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.raft.QuorumConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;

/*
 * Asks Kafka's own KafkaConfig about the files of config-cases.txt and writes its answers, lines
 * that begin with "=> ", into it:
 *	java -cp "$HOME/.cache/kafka-reference/libs/*" ConfigCases.java config-cases.txt
 * A case is a paragraph: "## what it is about", then the lines of a server.properties, where @base
 * stands for those of a single node.  "!! ..." is not for Kafka: what sluice is to say instead.
 */
public final class ConfigCases {
	private static final String BASE = """
		process.roles=broker,controller
		node.id=1
		listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
		controller.listener.names=CONTROLLER
		controller.quorum.bootstrap.servers=127.0.0.1:9093
		log.dirs=/data
		""";

	private static void endpoints(String kind, scala.collection.Seq<Endpoint> list, TreeSet<String> out) {
		for (int i = 0; i < list.size(); i++) {
			Endpoint e = list.apply(i);
			out.add(kind + " " + e.listener() + " " + e.securityProtocol() + " " +
				(e.host() == null ? "-" : e.host()) + " " + e.port());
		}
	}

	private static void answer(String file, List<String> out) throws Exception {
		Properties props = new Properties();
		props.load(new StringReader(file));
		TreeSet<String> facts = new TreeSet<>();
		try {
			KafkaConfig config = new KafkaConfig(props, false);
			endpoints("listener", config.listeners(), facts);
			endpoints("advertised", config.effectiveAdvertisedBrokerListeners(), facts);
			endpoints("advertised", config.effectiveAdvertisedControllerListeners(), facts);
			facts.add("inter.broker " + config.interBrokerListenerName().value());
			QuorumConfig.parseVoterConnections(config.quorumConfig().voters()).forEach((id, a) ->
				facts.add("voter " + id + " " + a.getHostString() + " " + a.getPort()));
			QuorumConfig.parseBootstrapServers(config.quorumConfig().bootstrapServers()).forEach(a ->
				facts.add("bootstrap " + a.getHostString() + " " + a.getPort()));
			for (String key : props.stringPropertyNames()) {
				ConfigDef.ConfigKey def = AbstractKafkaConfig.CONFIG_DEF.configKeys().get(key);
				if (def != null && !("\n" + BASE).contains("\n" + key + "=") && def.type != ConfigDef.Type.PASSWORD)
					facts.add(key + "=" + ConfigDef.convertToString(config.values().get(key), def.type));
			}
		} catch (Exception e) {
			out.add("=> refused: " + String.valueOf(e.getMessage()).replace('\n', ' '));
			return;
		}
		out.add("=> ok");
		for (String fact : facts)
			out.add("=> " + fact);
	}

	public static void main(String[] args) throws Exception {
		Path path = Path.of(args[0]);
		List<String> out = new ArrayList<>();
		StringBuilder file = new StringBuilder();
		List<String> lines = new ArrayList<>(Files.readAllLines(path));
		boolean in = false;

		lines.add("");
		for (String line : lines) {
			if (line.startsWith("=> "))
				continue;
			if (line.isEmpty() && in)
				answer(file.toString(), out);
			if (line.isEmpty() || line.startsWith("## "))
				file.setLength(0);
			in = line.startsWith("## ") || in && !line.isEmpty();
			out.add(line);
			if (in && !line.startsWith("## ") && !line.startsWith("!! "))
				file.append(line.equals("@base") ? BASE : line + "\n");
		}
		out.remove(out.size() - 1);
		Files.write(path, out);
	}
}
