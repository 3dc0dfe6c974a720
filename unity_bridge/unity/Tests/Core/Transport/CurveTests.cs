#nullable enable
using System;
using NUnit.Framework;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Tests
{
    /// <summary>CURVE against a server made for the test; tests/csharp has it against libzmq.</summary>
    public sealed class CurveTests
    {
        private string serverSecret = "";
        private CurveKeys keys = null!;
        private CurveServer server = null!;
        private Conversation talk = null!;

        [SetUp]
        public void Begin()
        {
            serverSecret = CurveKeys.NewSecret();
            keys = new CurveKeys(CurveKeys.PublicKeyOf(serverSecret), CurveKeys.NewSecret());
            server = new CurveServer(serverSecret);
            talk = new Conversation(SocketType.Subscriber, keys);
        }

        [Test]
        public void ProvesItsKeyAndIsUnderstood()
        {
            Open();
            Assert.That(server.ClientKey, Is.EqualTo(keys.PublicKey));
            Assert.That(server.Read(talk.Said()), Is.EqualTo(WireParts.Join(new byte[] { 2, 9 }, WireParts.Ascii("SUBSCRIBE"))));
            Assert.That(talk.Peer.TrySend(new byte[] { 1, 2, 3 }), Is.True);
            Assert.That(server.Read(talk.Said()), Is.EqualTo(new byte[] { 0, 1, 2, 3 }));
            Assert.That(talk.Hear(server.Message(0, 4, 5, 6))[0], Is.EqualTo(new byte[] { 4, 5, 6 }));
            Assert.That(talk.Hear(server.Message(0))[0], Is.Empty);
            Assert.That(talk.Hear(server.Message(2, WireParts.Command("PING", 0, 0, 8).AsSpan(2).ToArray())), Is.Empty);
            Assert.That(server.Read(talk.Said()), Is.EqualTo(WireParts.Join(new byte[] { 2, 4 }, WireParts.Ascii("PONG"), new byte[] { 8 })));
        }

        [Test]
        public void TwoConnectionsHaveNothingInCommon()
        {
            var other = new Conversation(SocketType.Subscriber, keys);
            talk.Hear(WireParts.Greet("CURVE"));
            other.Hear(WireParts.Greet("CURVE"));
            Assert.That(Hex.Text(talk.Said().AsSpan(64 + 82)), Is.Not.EqualTo(Hex.Text(other.Said().AsSpan(64 + 82))));
        }

        [Test]
        public void AnImpostorIsNotBelieved()
        {
            talk.Hear(WireParts.Greet("CURVE"));
            var hello = talk.Said().AsSpan(64).ToArray();
            var impostor = new CurveServer(CurveKeys.NewSecret());
            Assert.That(() => impostor.Welcome(hello), Throws.InvalidOperationException, "it cannot even read HELLO");
            var welcome = server.Welcome(hello);
            welcome[60] ^= 1;
            var failure = Assert.Throws<ZmtpFailure>(() => talk.Hear(welcome));
            Assert.That((failure!.Refused, failure.Message.Contains("not the key that is pinned")), Is.EqualTo((true, true)));
        }

        [Test]
        public void AChangedReadyIsRefused()
        {
            talk.Hear(WireParts.Greet("CURVE"));
            talk.Hear(server.Welcome(talk.Said().AsSpan(64)));
            var ready = server.Ready(talk.Said(), "PUB");
            ready[ready.Length - 1] ^= 1;
            Assert.That(() => talk.Hear(ready), Throws.TypeOf<ZmtpFailure>());
        }

        [Test]
        public void ChangedRepeatedAndSwappedMessagesAreRefused()
        {
            for (int at = 2; at < 2 + 33 + 3; at++)
            {
                Begin();
                Open();
                var message = server.Message(0, 1, 2, 3);
                message[at] ^= 1;
                Assert.That(() => talk.Hear(message), Throws.TypeOf<ZmtpFailure>(), $"byte {at}");
            }

            Begin();
            Open();
            var first = server.Message(0, 1);
            var second = server.Message(0, 2);
            Assert.That(talk.Hear(second).Count, Is.EqualTo(1));
            var old = Assert.Throws<ZmtpFailure>(() => talk.Hear(first));
            Assert.That(old!.Message, Does.Contain("second time, or an older one"));
            Begin();
            Open();
            var message1 = server.Message(0, 1);
            talk.Hear(message1);
            Assert.That(() => talk.Hear(message1), Throws.TypeOf<ZmtpFailure>());
        }

        [TestCase(new byte[] { 0, 1, 65 })]
        [TestCase(new byte[] { 0, 8, 7, 77, 69, 83, 83, 65, 71, 69 })]
        [TestCase(new byte[] { 4, 7, 4, 80, 73, 78, 71, 0, 0 })]
        public void NothingInTheClearIsTaken(byte[] frame)
        {
            Open();
            Assert.That(() => talk.Hear(frame), Throws.TypeOf<ZmtpFailure>());
        }

        [Test]
        public void SeveralFramesAreRefusedInsideTheBoxToo()
        {
            Open();
            Assert.That(() => talk.Hear(server.Message(1, 1)), Throws.TypeOf<ZmtpFailure>());
        }

        [Test]
        public void AServerWithoutKeysIsNotTalkedTo()
        {
            var failure = Assert.Throws<ZmtpFailure>(() => talk.Hear(WireParts.Greet("NULL")));
            Assert.That(failure!.Refused, Is.True);
        }

        [Test]
        public void HangingUpTellsWhatForByTheStageItComesAt()
        {
            Assert.That(talk.Peer.HangUpReason, Is.Null);
            talk.Hear(WireParts.Greet("CURVE"));
            Assert.That(talk.Peer.HangUpReason, Does.Contain("another key than the one pinned"));
            talk.Hear(server.Welcome(talk.Said().AsSpan(64)));
            Assert.That(talk.Peer.HangUpReason, Does.Contain("revoked"));
            talk.Hear(server.Ready(talk.Said(), "PUB"));
            Assert.That(talk.Peer.HangUpReason, Is.Null);
        }

        [Test]
        public void EveryChangedByteOfTheHandshakeIsRefusedOrHarmless()
        {
            for (int at = 0; at < 170; at++)
            {
                Begin();
                talk.Hear(WireParts.Greet("CURVE"));
                var welcome = server.Welcome(talk.Said().AsSpan(64));
                welcome[at] ^= 0x41;
                try
                {
                    talk.Hear(welcome);
                    Assert.That(talk.Said(), Is.Empty, $"byte {at} was changed, and the handshake went on");
                }
                catch (ZmtpFailure)
                {
                }
            }
        }

        private void Open()
        {
            talk.Hear(WireParts.Greet("CURVE"));
            talk.Hear(server.Welcome(talk.Said().AsSpan(64)));
            talk.Hear(server.Ready(talk.Said(), "PUB"));
            Assert.That(talk.Peer.IsReady, Is.True);
        }
    }
}
