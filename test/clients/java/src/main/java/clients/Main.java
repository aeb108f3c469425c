package clients;

import java.net.URI;
import java.util.UUID;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.SqsClient;

/** AWS's SDK for Java v2 and Spring Cloud AWS as they are: {@code Main ENDPOINT [ACCESS_KEY SECRET_KEY]}. */
public final class Main {
    interface Step {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        var endpoint = arguments[0];
        var accessKey = arguments.length > 2 ? arguments[1] : "anybody";
        var secretKey = arguments.length > 2 ? arguments[2] : "anything";
        var credentials =
                StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
        try (var sync =
                        SqsClient.builder()
                                .endpointOverride(URI.create(endpoint))
                                .region(Region.US_EAST_1)
                                .credentialsProvider(credentials)
                                .build();
                var async =
                        SqsAsyncClient.builder()
                                .endpointOverride(URI.create(endpoint))
                                .region(Region.US_EAST_1)
                                .credentialsProvider(credentials)
                                .build()) {
            var sdk = new Sdk(sync, async);
            step("a life", sdk::life);
            step("FIFO", sdk::fifo);
            step("batch manager", sdk::batchManager);
            step("errors", sdk::errors);
        }
        step("Spring Boot", () -> OrderApplication.run(endpoint, accessKey, secretKey));
        // Pools may keep threads for a while; what was to be shown has been shown.
        System.exit(0);
    }

    static String newName(String suffix) {
        return "java-" + UUID.randomUUID().toString().substring(0, 13) + suffix;
    }

    static void expect(boolean isSo, String what) {
        if (!isSo) throw new IllegalStateException(what);
    }

    private static void step(String name, Step step) {
        try {
            step.run();
            System.out.println(name + ": ok");
        } catch (Exception | Error failure) {
            System.err.print(name + ": ");
            failure.printStackTrace();
            System.exit(1);
        }
    }
}
