// AWS's SDK for Go v2 as it is: `go run . ENDPOINT [ACCESS_KEY SECRET_KEY]`.
//
// It checks the MD5 of every message that it sends or receives. The first failure ends the program.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	accessKey, secretKey := "anybody", "anything"
	if len(os.Args) > 3 {
		accessKey, secretKey = os.Args[2], os.Args[3]
	}
	client := sqs.New(sqs.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(os.Args[1]),
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		Retryer:      aws.NopRetryer{},
	})
	for _, step := range []struct {
		name string
		run  func(context.Context, *sqs.Client) error
	}{
		{"a life", life}, {"batches", batches}, {"FIFO", fifo}, {"pages", pages}, {"errors", refusals},
	} {
		if err := step.run(ctx, client); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", step.name, err)
			os.Exit(1)
		}
		fmt.Printf("%s: ok\n", step.name)
	}
}

func newName(suffix string) string { return "go-" + rand.Text()[:16] + suffix }

func newQueue(ctx context.Context, client *sqs.Client, suffix string, attributes map[string]string) (*string, error) {
	created, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String(newName(suffix)), Attributes: attributes,
	})
	if err != nil {
		return nil, err
	}
	return created.QueueUrl, nil
}

func life(ctx context.Context, client *sqs.Client) error {
	url, err := newQueue(ctx, client, "", map[string]string{"VisibilityTimeout": "9"})
	if err != nil {
		return err
	}
	binary := []byte{0, 1, 254, 255}
	sent, err := client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: aws.String("hello ä & <b>\r\n"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"bytes": {DataType: aws.String("Binary"), BinaryValue: binary},
			"text":  {DataType: aws.String("String.kind"), StringValue: aws.String("x")},
		},
	})
	if err != nil {
		return err
	}
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, WaitTimeSeconds: 5,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return err
	}
	if len(got.Messages) != 1 {
		return fmt.Errorf("%d messages", len(got.Messages))
	}
	message := got.Messages[0]
	if *message.MessageId != *sent.MessageId || *message.Body != "hello ä & <b>\r\n" ||
		!bytes.Equal(message.MessageAttributes["bytes"].BinaryValue, binary) ||
		message.Attributes["ApproximateReceiveCount"] != "1" {
		return fmt.Errorf("not what was sent: %+v", message)
	}
	if _, err = client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 60,
	}); err != nil {
		return err
	}
	if _, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{
		QueueUrl: url, ReceiptHandle: message.ReceiptHandle,
	}); err != nil {
		return err
	}
	found, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return err
	}
	if found.Attributes["VisibilityTimeout"] != "9" ||
		found.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		return fmt.Errorf("attributes: %v", found.Attributes)
	}
	_, err = client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
	return err
}

func batches(ctx context.Context, client *sqs.Client) error {
	url, err := newQueue(ctx, client, "", nil)
	if err != nil {
		return err
	}
	entries := make([]types.SendMessageBatchRequestEntry, 10)
	for n := range entries {
		id := fmt.Sprint(n)
		entries[n] = types.SendMessageBatchRequestEntry{Id: aws.String(id), MessageBody: aws.String(id)}
	}
	sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
	if err != nil {
		return err
	}
	if len(sent.Successful) != 10 || len(sent.Failed) != 0 {
		return fmt.Errorf("sent: %+v", sent)
	}
	for left := 10; left > 0; {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5,
		})
		if err != nil {
			return err
		}
		if len(got.Messages) == 0 {
			return fmt.Errorf("%d messages are missing", left)
		}
		deletions := make([]types.DeleteMessageBatchRequestEntry, len(got.Messages))
		for n, message := range got.Messages {
			deletions[n] = types.DeleteMessageBatchRequestEntry{
				Id: aws.String(fmt.Sprint(n)), ReceiptHandle: message.ReceiptHandle,
			}
		}
		deleted, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: deletions})
		if err != nil {
			return err
		}
		left -= len(deleted.Successful)
	}
	return nil
}

func fifo(ctx context.Context, client *sqs.Client) error {
	url, err := newQueue(ctx, client, ".fifo", map[string]string{"FifoQueue": "true"})
	if err != nil {
		return err
	}
	for _, body := range []string{"1", "2", "2", "3"} {
		if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String(body),
			MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("id-" + body),
		}); err != nil {
			return err
		}
	}
	got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 5,
	})
	if err != nil {
		return err
	}
	order := ""
	for _, message := range got.Messages {
		order += *message.Body
	}
	if order != "123" {
		return fmt.Errorf("order: %s", order)
	}
	return nil
}

func pages(ctx context.Context, client *sqs.Client) error {
	prefix := newName("-pages")
	for n := range 3 {
		name := aws.String(fmt.Sprintf("%s-%d", prefix, n))
		if _, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: name}); err != nil {
			return err
		}
	}
	listed := 0
	pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{
		QueueNamePrefix: aws.String(prefix), MaxResults: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		listed += len(page.QueueUrls)
	}
	if listed != 3 {
		return fmt.Errorf("%d queues were listed", listed)
	}
	return nil
}

func refusals(ctx context.Context, client *sqs.Client) error {
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(newName(""))})
	var missing *types.QueueDoesNotExist
	if !errors.As(err, &missing) {
		return fmt.Errorf("a missing queue: %w", err)
	}
	url, err := newQueue(ctx, client, "", nil)
	if err != nil {
		return err
	}
	_, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("forged")})
	var invalid *types.ReceiptHandleIsInvalid
	if !errors.As(err, &invalid) {
		return fmt.Errorf("a forged handle: %w", err)
	}
	return nil
}
