/* SPDX-License-Identifier: Apache-2.0 */
import java.io.PrintWriter;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.Errors;

/* What Kafka says of its APIs and errors: Tables APIS ERRORS.  See make.sh. */
public class Tables {
	public static void main(String[] args) throws Exception {
		try (PrintWriter out = new PrintWriter(args[0])) {
			for (ApiMessageType t : ApiMessageType.values()) {
				if (t.lowestSupportedVersion() > t.highestSupportedVersion(true))
					continue; /* removed */
				out.printf("%d %s %d..%d stable %d broker %b controller %b headers", t.apiKey(), t.name,
					t.lowestSupportedVersion(), t.highestSupportedVersion(true),
					t.highestSupportedVersion(false), t.listeners().contains(ListenerType.BROKER),
					t.listeners().contains(ListenerType.CONTROLLER));
				for (short v = t.lowestSupportedVersion(); v <= t.highestSupportedVersion(true); v++)
					out.printf(" %d/%d", t.requestHeaderVersion(v), t.responseHeaderVersion(v));
				out.println();
			}
		}
		try (PrintWriter out = new PrintWriter(args[1])) {
			for (Errors e : Errors.values())
				out.printf("%d %s%s%n", e.code(), e, e.exception() instanceof RetriableException ? " retriable" : "");
		}
	}
}
