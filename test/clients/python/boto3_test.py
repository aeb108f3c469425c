"""boto3 as it is: `python boto3_test.py ENDPOINT [AccessKeyId SecretAccessKey]`.

Releases before 1.28 speak the query protocol, later ones JSON. botocore checks the MD5 of every
message that it sends or receives.
"""

import json
import sys
import unittest
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, *KEYS = sys.argv[1:]
ACCESS_KEY, SECRET_KEY = KEYS or ["anybody", "anything"]
SESSION = boto3.session.Session(
    region_name="us-east-1",
    aws_access_key_id=ACCESS_KEY,
    aws_secret_access_key=SECRET_KEY,
)
CONFIG = Config(retries={"max_attempts": 0})
sqs = SESSION.client("sqs", endpoint_url=ENDPOINT, config=CONFIG)
resource = SESSION.resource("sqs", endpoint_url=ENDPOINT, config=CONFIG)


def new_name(suffix=""):
    return f"boto3-{uuid.uuid4().hex[:12]}{suffix}"


def new_queue(**attributes):
    suffix = ".fifo" if attributes.get("FifoQueue") == "true" else ""
    return sqs.create_queue(QueueName=new_name(suffix), Attributes=attributes)["QueueUrl"]


def bodies(answer):
    return [message["Body"] for message in answer.get("Messages", [])]


class Client(unittest.TestCase):
    def test_a_life(self):
        url = new_queue()
        sent = sqs.send_message(QueueUrl=url, MessageBody="hello ä & <b>\r\n")
        answer = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], WaitTimeSeconds=2)
        message = answer["Messages"][0]
        self.assertEqual(message["MessageId"], sent["MessageId"])
        self.assertEqual(message["Body"], "hello ä & <b>\r\n")
        self.assertEqual(message["Attributes"]["ApproximateReceiveCount"], "1")
        handle = message["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        again = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"][0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))
        status = answer["ResponseMetadata"]
        self.assertEqual(status["HTTPStatusCode"], 200)
        self.assertTrue(status["RequestId"])

    def test_queue_attributes(self):
        url = new_queue(VisibilityTimeout="7")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "2"})
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual((found["VisibilityTimeout"], found["DelaySeconds"]), ("7", "2"))
        name = url.rsplit("/", 1)[1]
        self.assertEqual(sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
        self.assertIn(url, sqs.list_queues(QueueNamePrefix=name)["QueueUrls"])

    def test_pages(self):
        prefix = new_name()
        for n in range(3):
            sqs.create_queue(QueueName=f"{prefix}-{n}")
        pages = sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}
        )
        self.assertEqual([len(page["QueueUrls"]) for page in pages], [2, 1])

    def test_tags_and_permissions(self):
        url = sqs.create_queue(QueueName=new_name(), tags={"a": "1", "b": "2"})["QueueUrl"]
        sqs.tag_queue(QueueUrl=url, Tags={"b": "3"})
        sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        self.assertEqual(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"b": "3"})
        sqs.add_permission(
            QueueUrl=url, Label="x", AWSAccountIds=["111122223333"], Actions=["SendMessage"]
        )
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        self.assertEqual(json.loads(policy["Attributes"]["Policy"])["Statement"][0]["Sid"], "x")
        sqs.remove_permission(QueueUrl=url, Label="x")

    def test_message_attributes(self):
        url = new_queue()
        attributes = {
            "text": {"DataType": "String", "StringValue": "ä <&>"},
            "bytes": {"DataType": "Binary", "BinaryValue": bytes([0, 1, 254, 255])},
            "number": {"DataType": "Number", "StringValue": "12.5"},
            "custom": {"DataType": "Number.java.lang.Long", "StringValue": "9007199254740993"},
        }
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
        answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        self.assertEqual(answer["Messages"][0]["MessageAttributes"], attributes)

    def test_batches(self):
        url = new_queue()
        entries = [{"Id": str(n), "MessageBody": f"body {n}"} for n in range(10)]
        sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        self.assertEqual(len(sent["Successful"]), 10)
        self.assertNotIn("Failed", sent)
        seen = []
        while len(seen) < 10:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
            seen += answer["Messages"]
        handles = [{"Id": m["MessageId"][:70], "ReceiptHandle": m["ReceiptHandle"]} for m in seen]
        kept = [{**entry, "VisibilityTimeout": 60} for entry in handles]
        changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=kept)
        self.assertEqual(len(changed["Successful"]), 10)
        deleted = sqs.delete_message_batch(
            QueueUrl=url, Entries=[*handles[:9], {"Id": "forged", "ReceiptHandle": "forged"}]
        )
        self.assertEqual(len(deleted["Successful"]), 9)
        self.assertEqual(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid")

    def test_fifo(self):
        url = new_queue(FifoQueue="true", ContentBasedDeduplication="true")
        for body in ["1", "2", "2", "3"]:
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        self.assertEqual(bodies(answer), ["1", "2", "3"])
        self.assertEqual(answer["Messages"][0]["Attributes"]["MessageGroupId"], "g")

    def test_dead_letters(self):
        dead = new_queue()
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        arn = arn["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
        url = new_queue(VisibilityTimeout="0", RedrivePolicy=policy)
        sqs.send_message(QueueUrl=url, MessageBody="poison")
        self.assertEqual(bodies(sqs.receive_message(QueueUrl=url)), ["poison"])
        self.assertEqual(bodies(sqs.receive_message(QueueUrl=url)), [])
        letters = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5, VisibilityTimeout=0)
        self.assertEqual(bodies(letters), ["poison"])
        sources = sqs.list_dead_letter_source_queues(QueueUrl=dead)
        self.assertEqual(sources["queueUrls"], [url])
        if not hasattr(sqs, "start_message_move_task"):
            self.skipTest(f"botocore {botocore.__version__} knows no move tasks")
        self.assertTrue(sqs.start_message_move_task(SourceArn=arn)["TaskHandle"])
        self.assertEqual(bodies(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)), ["poison"])

    def test_errors(self):
        url = new_queue()
        with self.assertRaises(sqs.exceptions.QueueDoesNotExist) as missing:
            sqs.get_queue_url(QueueName=new_name())
        # As before the JSON protocol: both tell it so.
        code = missing.exception.response["Error"]["Code"]
        self.assertEqual(code, "AWS.SimpleQueueService.NonExistentQueue")
        with self.assertRaises(sqs.exceptions.EmptyBatchRequest):
            sqs.send_message_batch(QueueUrl=url, Entries=[])
        with self.assertRaises(sqs.exceptions.ReceiptHandleIsInvalid):
            sqs.delete_message(QueueUrl=url, ReceiptHandle="forged")
        with self.assertRaises(ClientError) as wrong:
            sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11)
        self.assertEqual(wrong.exception.response["Error"]["Code"], "InvalidParameterValue")
        self.assertEqual(wrong.exception.response["ResponseMetadata"]["HTTPStatusCode"], 400)

    @unittest.skipIf(
        sqs.meta.service_model.metadata["protocol"] != "query", "only the query protocol has them"
    )
    def test_presigned_urls(self):
        url = new_queue()
        params = {"QueueUrl": url, "MessageBody": "by link & signed"}
        link = sqs.generate_presigned_url("send_message", params, HttpMethod="GET")
        with urllib.request.urlopen(link) as answer:
            self.assertIn(b"<MD5OfMessageBody>", answer.read())
        self.assertEqual(bodies(sqs.receive_message(QueueUrl=url)), ["by link & signed"])


class Resource(unittest.TestCase):
    def test_queues_and_messages_as_objects(self):
        queue = resource.create_queue(QueueName=new_name(), Attributes={"DelaySeconds": "0"})
        self.assertEqual(queue.attributes["VisibilityTimeout"], "30")
        queue.set_attributes(Attributes={"VisibilityTimeout": "9"})
        queue.reload()
        self.assertEqual(queue.attributes["VisibilityTimeout"], "9")
        name = queue.url.rsplit("/", 1)[1]
        self.assertEqual(resource.get_queue_by_name(QueueName=name).url, queue.url)
        self.assertEqual([q.url for q in resource.queues.filter(QueueNamePrefix=name)], [queue.url])

        author = {"author": {"DataType": "String", "StringValue": "me"}}
        queue.send_message(MessageBody="one", MessageAttributes=author)
        queue.send_messages(Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)])
        seen = []
        while len(seen) < 4:
            got = queue.receive_messages(
                MessageAttributeNames=["author"], MaxNumberOfMessages=10, WaitTimeSeconds=2
            )
            self.assertTrue(got)
            seen += got
        self.assertEqual(sorted(m.body for m in seen), ["0", "1", "2", "one"])
        for message in seen:
            if message.body == "one":
                self.assertEqual(message.message_attributes, author)
                message.change_visibility(VisibilityTimeout=100)
            message.delete()
        queue.purge()
        queue.delete()

    def test_timestamps_are_of_now(self):
        queue = resource.create_queue(QueueName=new_name())
        queue.send_message(MessageBody="x")
        (message,) = queue.receive_messages(AttributeNames=["SentTimestamp"], WaitTimeSeconds=2)
        sent = datetime.fromtimestamp(int(message.attributes["SentTimestamp"]) / 1000, timezone.utc)
        self.assertLess(abs(datetime.now(timezone.utc) - sent), timedelta(minutes=5))


if __name__ == "__main__":
    print(f"boto3 {boto3.__version__}, {sqs.meta.service_model.metadata['protocol']}", flush=True)
    unittest.main(argv=sys.argv[:1], verbosity=2)
