// java.net.http with its defaults: it asks for an upgrade to HTTP/2.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.Base64;

public class Client {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    static void tell(String question, HttpRequest request) throws Exception {
        HttpResponse<byte[]> response = CLIENT.send(request, BodyHandlers.ofByteArray());
        String length = response.headers().firstValue("content-length").orElse("-");
        String body = Base64.getEncoder().encodeToString(response.body());
        System.out.println(question + "\t" + response.statusCode() + "\t" + length + "\t" + body);
    }

    public static void main(String[] given) throws Exception {
        String address = given[0];
        for (String path : given[2].split(",")) {
            for (String method : new String[] {"GET", "HEAD"}) {
                tell(method + " " + path, HttpRequest.newBuilder(URI.create(address + path))
                    .method(method, BodyPublishers.noBody()).build());
            }
        }
        for (String pair : given[3].split(",")) {
            String[] parts = pair.split("=");
            tell(parts[0], HttpRequest.newBuilder(URI.create(address + "/v1/predict"))
                .header("Content-Type", parts[1])
                .POST(BodyPublishers.ofFile(Path.of(given[1], parts[0]))).build());
        }
    }
}
