package clients;

import static clients.Main.expect;
import static clients.Main.newName;

import io.awspring.cloud.sqs.annotation.SqsListener;
import io.awspring.cloud.sqs.operations.SqsTemplate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;

/** A Spring Boot application that listens to three queues; the endpoint is a property of it. */
@SpringBootApplication
public class OrderApplication {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final BlockingQueue<String> orders = new LinkedBlockingQueue<>();
    private static final BlockingQueue<String> retries = new LinkedBlockingQueue<>();
    private static final BlockingQueue<String> steps = new LinkedBlockingQueue<>();

    @SqsListener("${queue.orders}")
    void order(String body) {
        orders.add(body);
    }

    /** Fails at first: its message comes again once its visibility has run out. */
    @SqsListener("${queue.retries}")
    void retry(String body) {
        retries.add(body);
        if (retries.size() == 1) throw new IllegalStateException("the first attempt fails");
    }

    @SqsListener("${queue.steps}")
    void step(String body) {
        steps.add(body);
    }

    static void run(String endpoint, String accessKey, String secretKey) throws Exception {
        var names = Map.of("orders", newName(""), "retries", newName(""), "steps", newName(".fifo"));
        var arguments =
                new ArrayList<>(
                        List.of(
                                "--spring.cloud.aws.sqs.endpoint=" + endpoint,
                                "--spring.cloud.aws.region.static=us-east-1",
                                "--spring.cloud.aws.credentials.access-key=" + accessKey,
                                "--spring.cloud.aws.credentials.secret-key=" + secretKey,
                                "--spring.main.banner-mode=off",
                                "--logging.level.root=OFF"));
        names.forEach((queue, name) -> arguments.add("--queue." + queue + "=" + name));
        try (var context =
                SpringApplication.run(
                        OrderApplication.class, arguments.toArray(String[]::new))) {
            var template = context.getBean(SqsTemplate.class);
            var bodies = IntStream.range(0, 25).mapToObj(n -> "body " + n).toList();
            for (var body : bodies) {
                template.send(names.get("orders"), body);
                template.send(
                        to ->
                                to.queue(names.get("steps"))
                                        .payload(body)
                                        .messageGroupId("g")
                                        .messageDeduplicationId(body.replace(' ', '-')));
            }
            var sqs = context.getBean(SqsAsyncClient.class);
            var url = sqs.getQueueUrl(r -> r.queueName(names.get("retries"))).join().queueUrl();
            var soon = Map.of("VisibilityTimeout", "1");
            sqs.setQueueAttributes(r -> r.queueUrl(url).attributesWithStrings(soon)).join();
            template.send(names.get("retries"), "twice");

            var seen = take(orders, bodies.size());
            expect(seen.containsAll(bodies), "orders: " + seen);
            var inOrder = take(steps, bodies.size());
            expect(inOrder.equals(bodies), "steps: " + inOrder);
            var attempts = take(retries, 2);
            expect(attempts.equals(List.of("twice", "twice")), "retries: " + attempts);
        }
    }

    private static List<String> take(BlockingQueue<String> queue, int count)
            throws InterruptedException {
        var taken = new ArrayList<String>();
        while (taken.size() < count) {
            var body = queue.poll(PATIENCE.toSeconds(), TimeUnit.SECONDS);
            expect(body != null, "too few came: " + taken);
            taken.add(body);
        }
        return taken;
    }
}
