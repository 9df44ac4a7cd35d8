// The official Java client. ../README.md says what it reads and writes. It knows the legacy era only.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.McpSyncClient;
import io.modelcontextprotocol.client.transport.HttpClientStreamableHttpTransport;
import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.TypeRef;
import io.modelcontextprotocol.spec.McpSchema;
import io.modelcontextprotocol.spec.ProtocolVersions;

class Driver {
    private static final McpJsonMapper JSON = McpJsonDefaults.getMapper();
    private static final TypeRef<Map<String, Object>> OBJECT = new TypeRef<>() {};
    /** The client's own is 20 s, which is little on a busy machine. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var url = (String) JSON.readValue(in.readLine(), OBJECT).get("url");
        var transport = HttpClientStreamableHttpTransport.builder(url.substring(0, url.indexOf("/mcp")))
                .supportedProtocolVersions(List.of(ProtocolVersions.MCP_2025_11_25))
                .build();
        try (var client = McpClient.sync(transport).requestTimeout(PATIENCE).initializationTimeout(PATIENCE).build()) {
            var agreed = client.initialize();
            var first = new LinkedHashMap<String, Object>();
            first.put("library", libraryVersion());
            first.put("protocol", agreed.protocolVersion());
            first.put("tools", client.listTools().tools().stream().map(McpSchema.Tool::name).toList());
            write(first);
            for (String line; (line = in.readLine()) != null; ) {
                write(called(client, JSON.readValue(line, OBJECT)));
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> called(McpSyncClient client, Map<String, Object> call) {
        var outcome = new LinkedHashMap<String, Object>();
        try {
            var request = McpSchema.CallToolRequest.builder((String) call.get("tool"))
                    .arguments((Map<String, Object>) call.get("arguments"))
                    .build();
            var result = client.callTool(request);
            outcome.put("structured", result.structuredContent());
            outcome.put("text", result.content().stream().map(Driver::text).collect(Collectors.joining()));
            outcome.put("isError", Boolean.TRUE.equals(result.isError()));
        } catch (RuntimeException failure) {
            outcome.put("failed", failure.toString());
        }
        return outcome;
    }

    private static String text(McpSchema.Content block) {
        return block instanceof McpSchema.TextContent words ? words.text() : "";
    }

    /** From the name of the library's file: it says so nowhere else. */
    private static String libraryVersion() {
        var file = McpClient.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        return file.substring(file.lastIndexOf('-') + 1, file.lastIndexOf(".jar"));
    }

    private static void write(Map<String, Object> message) throws Exception {
        OUT.println(JSON.writeValueAsString(message));
    }
}
