package clients;

import static clients.Main.expect;
import static clients.Main.newName;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueDoesNotExistException;
import software.amazon.awssdk.services.sqs.model.ReceiptHandleIsInvalidException;

/** The SDK alone; it checks the MD5 of every message that it sends or receives. */
record Sdk(SqsClient sqs, SqsAsyncClient async) {
    private String newQueue(String suffix, Map<QueueAttributeName, String> attributes) {
        return sqs.createQueue(r -> r.queueName(newName(suffix)).attributes(attributes)).queueUrl();
    }

    void life() {
        var url = newQueue("", Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "9"));
        var bytes = SdkBytes.fromByteArray(new byte[] {0, 1, -2, -1});
        var body = "hello ä & <b>\r\n";
        var binary = MessageAttributeValue.builder().dataType("Binary").binaryValue(bytes).build();
        var sent =
                sqs.sendMessage(
                        r ->
                                r.queueUrl(url)
                                        .messageBody(body)
                                        .messageAttributes(Map.of("bytes", binary)));
        var message =
                sqs.receiveMessage(
                                r ->
                                        r.queueUrl(url)
                                                .waitTimeSeconds(5)
                                                .messageAttributeNames("All")
                                                .messageSystemAttributeNames(
                                                        MessageSystemAttributeName.ALL))
                        .messages()
                        .get(0);
        expect(message.messageId().equals(sent.messageId()), "the id");
        expect(message.body().equals(body), "the body: " + message.body());
        expect(message.messageAttributes().get("bytes").binaryValue().equals(bytes), "the bytes");
        var receives = MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT;
        expect("1".equals(message.attributes().get(receives)), "the count");
        var handle = message.receiptHandle();
        sqs.changeMessageVisibility(
                r -> r.queueUrl(url).receiptHandle(handle).visibilityTimeout(60));
        sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle(handle));
        var attributes =
                sqs.getQueueAttributes(
                        r -> r.queueUrl(url).attributeNames(QueueAttributeName.ALL));
        expect(
                "9".equals(attributes.attributes().get(QueueAttributeName.VISIBILITY_TIMEOUT)),
                "attributes: " + attributes);
        sqs.deleteQueue(r -> r.queueUrl(url));
    }

    void fifo() {
        var url = newQueue(".fifo", Map.of(QueueAttributeName.FIFO_QUEUE, "true"));
        for (var body : List.of("1", "2", "2", "3"))
            sqs.sendMessage(
                    r ->
                            r.queueUrl(url)
                                    .messageBody(body)
                                    .messageGroupId("g")
                                    .messageDeduplicationId("id-" + body));
        var messages =
                sqs.receiveMessage(
                                r -> r.queueUrl(url).maxNumberOfMessages(10).waitTimeSeconds(5))
                        .messages();
        var order = messages.stream().map(Message::body).toList();
        expect(order.equals(List.of("1", "2", "3")), "order: " + order);
    }

    /** It collects calls into batches by itself, both ways. */
    void batchManager() {
        var url = newQueue("", Map.of());
        try (var batches = async.batchManager()) {
            var sends =
                    IntStream.range(0, 100)
                            .mapToObj(
                                    n ->
                                            batches.sendMessage(
                                                    r -> r.queueUrl(url).messageBody("" + n)))
                            .toArray(CompletableFuture[]::new);
            CompletableFuture.allOf(sends).join();
            for (int left = 100; left > 0; ) {
                var messages = batches.receiveMessage(r -> r.queueUrl(url)).join().messages();
                var deletions =
                        messages.stream()
                                .map(
                                        message ->
                                                batches.deleteMessage(
                                                        r ->
                                                                r.queueUrl(url)
                                                                        .receiptHandle(
                                                                                message
                                                                                        .receiptHandle())))
                                .toArray(CompletableFuture[]::new);
                CompletableFuture.allOf(deletions).join();
                left -= messages.size();
            }
        }
    }

    void errors() {
        try {
            sqs.getQueueUrl(r -> r.queueName(newName("")));
            expect(false, "a missing queue was found");
        } catch (QueueDoesNotExistException expected) {
            var code = expected.awsErrorDetails().errorCode();
            expect(code.endsWith("NonExistentQueue"), "its code: " + code);
        }
        var url = newQueue("", Map.of());
        try {
            sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle("forged"));
            expect(false, "a forged handle was taken");
        } catch (ReceiptHandleIsInvalidException expected) {
            expect(expected.statusCode() == 404, "its status: " + expected.statusCode());
        }
    }
}
