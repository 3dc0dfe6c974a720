#nullable enable
using System;
using System.Linq;
using NUnit.Framework;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Tests
{
    /// <summary>ZMTP 3.1 on bytes (RFC 37): what is said, and what of the other side's is refused.</summary>
    public sealed class PeerTests
    {
        private static readonly byte[] Subscription = WireParts.Command("SUBSCRIBE");

        [Test]
        public void GreetsFirstAndOnlyThenSaysWhatItIs()
        {
            var talk = new Conversation(SocketType.Subscriber);
            Assert.That(talk.Said(), Is.EqualTo(WireParts.Greet("NULL").AsSpan(0, 11).ToArray()));
            talk.Hear(WireParts.Greet("NULL").AsSpan(0, 10));
            Assert.That(talk.Said(), Is.Empty);
            talk.Hear(WireParts.Greet("NULL").AsSpan(10, 53));
            Assert.That(talk.Said(), Is.EqualTo(WireParts.Greet("NULL").AsSpan(11).ToArray()));
            talk.Hear(WireParts.Greet("NULL").AsSpan(63));
            Assert.That(talk.Said(), Is.EqualTo(WireParts.Ready("SUB")));
        }

        [TestCase(1, true)]
        [TestCase(0, false)]
        public void SubscribesByCommandOrToOldPeersByMessage(byte minor, bool command)
        {
            var talk = new Conversation(SocketType.Subscriber);
            talk.Hear(WireParts.Greet("NULL", 3, minor));
            talk.Said();
            talk.Hear(WireParts.NullReady);
            Assert.That(talk.Peer.IsReady, Is.True);
            Assert.That(talk.Said(), Is.EqualTo(command ? Subscription : WireParts.Frame(0, 1)));
        }

        [TestCase(1, true)]
        [TestCase(0, false)]
        public void SubscribesToItsTopicAtOnceAndToAnotherWhenItIsTold(byte minor, bool command)
        {
            var talk = new Conversation(SocketType.Subscriber);
            talk.Peer.Subscribe(new byte[] { 7, 8 });
            talk.Hear(WireParts.Greet("NULL", 3, minor));
            talk.Said();
            talk.Hear(WireParts.NullReady);
            Assert.That(talk.Said(), Is.EqualTo(Topic(command, 7, 8)));
            talk.Peer.Subscribe(new byte[] { 9 });
            Assert.That(talk.Said(), Is.EqualTo(Topic(command, 9)));
        }

        private static byte[] Topic(bool command, params byte[] topic)
        {
            var message = WireParts.Join(new byte[] { 1 }, topic);
            return command ? WireParts.Command("SUBSCRIBE", topic) : WireParts.Frame(0, message);
        }

        [Test]
        public void ADealerTellsAnEmptyIdentityAndSubscribesToNothing()
        {
            var talk = new Conversation(SocketType.Dealer);
            talk.Hear(WireParts.Greet("NULL"));
            var properties = WireParts.Join(WireParts.Property("Socket-Type", "DEALER"), WireParts.Property("Identity", ""));
            Assert.That(
                talk.Said(), Is.EqualTo(WireParts.Join(WireParts.Greet("NULL"), WireParts.Command("READY", properties))));
            talk.Hear(WireParts.Ready("ROUTER"));
            Assert.That(talk.Said(), Is.Empty);
            Assert.That(talk.Peer.IsReady, Is.True);
        }

        [TestCase(1)]
        [TestCase(7)]
        [TestCase(100_000)]
        public void MessagesOfAllSizesComeHoweverTheyAreCut(int piece)
        {
            var talk = new Conversation(SocketType.Subscriber, maxMessage: 100_000).Open();
            var sizes = new[] { 0, 1, 255, 256, 65_536, 100_000 };
            foreach (int size in sizes)
            {
                var message = Enumerable.Range(0, size).Select(index => (byte)(index * 7)).ToArray();
                var heard = talk.Hear(WireParts.Frame(0, message), piece);
                Assert.That(heard.Count, Is.EqualTo(1));
                Assert.That(heard[0].AsSpan().SequenceEqual(message), Is.True, $"{size} bytes");
            }

            // A short message may come with a long head.
            Assert.That(talk.Hear(WireParts.Frame(2, 5))[0], Is.EqualTo(new byte[] { 5 }));
        }

        [Test]
        public void ManyMessagesAtOnceComeOneByOne()
        {
            var talk = new Conversation(SocketType.Subscriber).Open();
            var bytes = Enumerable.Range(0, 200).SelectMany(index => WireParts.Frame(0, (byte)index)).ToArray();
            Assert.That(talk.Hear(bytes).Select(each => (int)each[0]), Is.EqualTo(Enumerable.Range(0, 200)));
        }

        [Test]
        public void PingsAreAnsweredWithTheirContext()
        {
            var talk = new Conversation(SocketType.Subscriber).Open();
            talk.Said();
            talk.Hear(WireParts.Command("PING", 0, 10, 1, 2, 3));
            Assert.That(talk.Said(), Is.EqualTo(WireParts.Command("PONG", 1, 2, 3)));
            talk.Hear(WireParts.Command("PONG", 9));
            talk.Hear(WireParts.Command("NOVELTY", 9));
            Assert.That(talk.Said(), Is.Empty);
            talk.Peer.Ping();
            Assert.That(talk.Said(), Is.EqualTo(WireParts.Command("PING", 0, 0)));
        }

        [Test]
        public void AFloodOfPingsFillsNothing()
        {
            var talk = new Conversation(SocketType.Dealer, maxQueued: 300).Open(1, "ROUTER");
            talk.Said();
            var ping = WireParts.Command("PING", new byte[18]);
            for (int count = 0; count < 1000; count++)
            {
                talk.Hear(ping);
            }

            Assert.That(talk.Queue.Waiting.Count, Is.InRange(1, 300 + SendQueue.ControlBytes));
        }

        [TestCase("another mechanism", "wants keys")]
        [TestCase("no greeting", "no greeting")]
        [TestCase("half a signature", "no greeting")]
        [TestCase("old", "ZMTP 2")]
        public void GreetingsThatDoNotFit(string which, string reason)
        {
            var greeting = which switch
            {
                "another mechanism" => WireParts.Greet("CURVE"),
                "no greeting" => WireParts.Ascii("HTTP/1.1 400 Bad Request\r\n\r\n"),
                "half a signature" => WireParts.Join(new byte[] { 0xFF }, new byte[20]),
                _ => WireParts.Greet("NULL", 2),
            };
            var talk = new Conversation(SocketType.Subscriber);
            var failure = Assert.Throws<ZmtpFailure>(() => talk.Hear(greeting));
            Assert.That(failure!.Message, Does.Contain(reason));
            Assert.That(failure.Refused, Is.EqualTo(which == "another mechanism" || which == "old"));
        }

        [TestCase("ROUTER", true)]
        [TestCase("", true)]
        [TestCase("PUB", false)]
        [TestCase("XPUB", false)]
        public void ASubscriberNeedsAPublisher(string server, bool refused)
        {
            var talk = new Conversation(SocketType.Subscriber);
            talk.Hear(WireParts.Greet("NULL"));
            if (refused)
            {
                Assert.That(Assert.Throws<ZmtpFailure>(() => talk.Hear(WireParts.Ready(server)))!.Refused, Is.True);
            }
            else
            {
                talk.Hear(WireParts.Ready(server));
            }

            Assert.That(talk.Peer.IsReady, Is.EqualTo(!refused));
        }

        [Test]
        public void AnErrorIsARefusalWithItsReason()
        {
            var talk = new Conversation(SocketType.Subscriber);
            talk.Hear(WireParts.Greet("NULL"));
            var failure = Assert.Throws<ZmtpFailure>(() => talk.Hear(WireParts.Command("ERROR", 4, 78, 79, 33, 10)));
            Assert.That((failure!.Refused, failure.Message), Is.EqualTo((true, "the server refused: 'NO!?'")));
        }

        [Test]
        public void AnErrorThatIsCutOffIsStillOne()
        {
            foreach (var rest in new[] { new byte[0], new byte[] { 200 }, new byte[] { 200, 65 } })
            {
                var talk = new Conversation(SocketType.Subscriber);
                talk.Hear(WireParts.Greet("NULL"));
                Assert.That(Assert.Throws<ZmtpFailure>(() => talk.Hear(WireParts.Command("ERROR", rest)))!.Refused, Is.True);
            }
        }

        // In the handshake: a message, an unknown command, properties that are cut off or have no name, a command too long.
        [TestCase("0005524541445900")]
        [TestCase("0403026869")]
        [TestCase("040805524541445903ff")]
        [TestCase("04070552454144590b")]
        [TestCase("0410055245414459016100000010ffffffff")]
        [TestCase("040b05524541445900000000 00")]
        [TestCase("060000000000001001")]
        [TestCase("064000000000000000")]
        public void HandshakesThatAreNone(string bytes)
        {
            var talk = new Conversation(SocketType.Subscriber);
            talk.Hear(WireParts.Greet("NULL"));
            Assert.That(() => talk.Hear(Hex.Bytes(bytes)), Throws.TypeOf<ZmtpFailure>());
        }

        // Afterwards: 2^62 bytes, one more than allowed, several frames, a command of several, unknown flags, bad PINGs.
        [TestCase("024000000000000000")]
        [TestCase("02ffffffffffffffff")]
        [TestCase("0200000000000003e9")]
        [TestCase("0101aa")]
        [TestCase("0501aa")]
        [TestCase("0801aa")]
        [TestCase("8001aa")]
        [TestCase("06000000000000100100")]
        [TestCase("0405 0450494e47")]
        [TestCase("0418 0450494e47 0000 0102030405060708090a0b0c0d0e0f1011")]
        public void FramesThatAreRefused(string bytes)
        {
            var talk = new Conversation(SocketType.Subscriber).Open();
            var failure = Assert.Throws<ZmtpFailure>(() => talk.Hear(Hex.Bytes(bytes)));
            Assert.That(failure!.Message, Does.Contain("does not keep to ZMTP"));
            Assert.That(talk.Received.Capacity, Is.EqualTo(ReceiveBuffer.InitialBytes), "nothing was set aside for it");
        }

        [Test]
        public void MemoryFollowsWhatArrivesAndNotWhatIsAnnounced()
        {
            var talk = new Conversation(SocketType.Subscriber, maxMessage: 1 << 28).Open();
            talk.Hear(Hex.Bytes("020000000010000000"));
            Assert.That(talk.Received.Capacity, Is.EqualTo(ReceiveBuffer.InitialBytes));
            talk.Hear(new byte[1_000_000]);
            Assert.That(talk.Received.Capacity, Is.LessThanOrEqualTo(1 << 20));
        }

        [Test]
        public void EveryChangedByteOfAConversationIsReadOrRefused()
        {
            var whole = WireParts.Join(
                WireParts.Greet("NULL"), WireParts.NullReady, WireParts.Frame(0, 1, 2, 3), WireParts.Command("PING", 0, 0, 7));
            int refused = 0;
            for (int at = 0; at < whole.Length; at++)
            {
                foreach (byte value in new byte[] { 0, 1, 2, 5, 127, 128, 255 })
                {
                    var changed = (byte[])whole.Clone();
                    changed[at] = value;
                    try
                    {
                        new Conversation(SocketType.Subscriber).Hear(changed);
                    }
                    catch (ZmtpFailure)
                    {
                        refused++;
                    }
                }
            }

            Assert.That(refused, Is.InRange(50, (7 * whole.Length) - 50));
        }

        [Test]
        public void TheQueueIsBoundedInMessagesAndBytes()
        {
            var talk = new Conversation(SocketType.Dealer, maxQueued: 300).Open(1, "ROUTER");
            talk.Said();
            Assert.That(talk.Peer.TrySend(new byte[290]), Is.True);
            Assert.That(talk.Peer.TrySend(new byte[0]), Is.False, "299 bytes are there, and a frame takes two");
            Assert.That(talk.Said().Length, Is.EqualTo(299));
            var sent = Enumerable.Range(0, 6).Select(index => talk.Peer.TrySend(new byte[] { (byte)index })).ToArray();
            Assert.That(sent, Is.EqualTo(new[] { true, true, true, true, false, false }));
            talk.Queue.Sent(4);
            Assert.That(talk.Queue.Messages, Is.EqualTo(3), "the first is out, the second in part");
            Assert.That(Hex.Text(talk.Queue.Waiting), Is.EqualTo("0101" + "000102" + "000103"));
        }
    }
}
