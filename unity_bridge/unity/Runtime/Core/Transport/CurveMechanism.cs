#nullable enable
using System;
using System.Buffers.Binary;
using System.Security.Cryptography;
using SurgNav.Core.Transport.Crypto;

namespace SurgNav.Core.Transport
{
    /// <summary>
    /// The client's side of CURVE (ZeroMQ RFC 25 and 26): S and C are the long-term keys of server and client, S' and C'
    /// those of this connection, which nobody can learn afterwards, not even with S and C.
    /// </summary>
    internal sealed class CurveMechanism : IMechanism
    {
        private const int Key = CurveKeys.KeyBytes;
        private const int Tag = SecretBox.Overhead;
        private const int ShortNonce = 8;
        private const int Cookie = 96;
        private const int HelloBytes = 200;
        private const int WelcomeBytes = 168;
        private const int VouchBytes = 2 * Key + Tag;

        // "\x07MESSAGE", a short nonce, and a box of flags and content.
        private const int MessageHead = 8 + ShortNonce + Tag + 1;
        private const byte CommandFlag = 2;
        private const byte MoreFlag = 1;

        private readonly CurveKeys keys;
        private readonly byte[] metadata;
        private readonly SocketType type;
        private readonly byte[] shortTermSecret = new byte[Key]; // c'
        private readonly byte[] shortTermPublic = new byte[Key]; // C'
        private readonly byte[] shared = new byte[Key]; // of C' and S', after WELCOME
        private readonly byte[] sendKey = new byte[Key]; // shared and the prefix of the nonces
        private readonly byte[] receiveKey = new byte[Key];
        private ulong sendNonce;
        private ulong receiveNonce;
        private Stage stage = Stage.Greeting;

        internal CurveMechanism(CurveKeys keys, SocketType type)
        {
            this.keys = keys;
            this.type = type;
            metadata = Command.Metadata(type);
        }

        private enum Stage : byte
        {
            Greeting,
            HelloSent,
            InitiateSent,
            Done,
        }

        public string Name => "CURVE";

        public int Overhead => MessageHead;

        public string? HangUpReason => stage switch
        {
            Stage.HelloSent => "the server hung up on the first keyed message: it has another key than the one pinned here",
            Stage.InitiateSent => "the server hung up on this client's key: not enrolled, expired, or revoked",
            _ => null,
        };

        private static ReadOnlySpan<byte> Message => new byte[]
        {
            7, (byte)'M', (byte)'E', (byte)'S', (byte)'S', (byte)'A', (byte)'G', (byte)'E',
        };

        private static ReadOnlySpan<byte> Welcome => new byte[]
        {
            7, (byte)'W', (byte)'E', (byte)'L', (byte)'C', (byte)'O', (byte)'M', (byte)'E',
        };

        public void Begin(SendQueue queue)
        {
            RandomNumberGenerator.Fill(shortTermSecret);
            Curve25519.PublicKey(shortTermPublic, shortTermSecret);

            // HELLO: version 1.0, 72 zeros, C', a short nonce, and 64 zeros in a box for S: proof that we know S.
            var hello = Frame(queue, HelloBytes, "HELLO", true);
            hello.Slice(6).Clear();
            hello[6] = 1;
            shortTermPublic.CopyTo(hello.Slice(80));
            Span<byte> nonce = stackalloc byte[SecretBox.NonceBytes];
            Nonce(nonce, "CurveZMQHELLO---", ++sendNonce);
            nonce.Slice(16).CopyTo(hello.Slice(112));
            SecretBox.SharedKey(shared, keys.ServerPublic, shortTermSecret);
            SecretBox.Seal(hello.Slice(120), shared, nonce);
            stage = Stage.HelloSent;
        }

        public bool Continue(Span<byte> body, SendQueue queue)
        {
            if (Command.Is(body, Command.Error, out var reason))
            {
                throw Command.Refusal(reason);
            }

            if (stage == Stage.HelloSent)
            {
                Initiate(queue, OpenWelcome(body));
                return false;
            }

            OpenReady(body);
            stage = Stage.Done;
            return true;
        }

        public void Append(SendQueue queue, ReadOnlySpan<byte> content, bool command)
        {
            int size = MessageHead + content.Length;
            int head = FrameHead.SizeFor(size);
            var frame = queue.Append(head + size);
            FrameHead.Write(frame, size, false); // libzmq sends these without the command bit, and so do we
            var body = frame.Slice(head);
            Message.CopyTo(body);
            BinaryPrimitives.WriteUInt64BigEndian(body.Slice(8), ++sendNonce);
            body[MessageHead - 1] = command ? CommandFlag : (byte)0;
            content.CopyTo(body.Slice(MessageHead));
            SecretBox.SealDerived(body.Slice(16), sendKey, body.Slice(8, ShortNonce));
        }

        public void Open(Span<byte> body, ref bool command, out int offset)
        {
            if (body.Length < MessageHead || !body.StartsWith(Message))
            {
                throw ZmtpFailure.Protocol("a frame that is not encrypted", "MESSAGE, once keys were agreed");
            }

            AcceptNonce(body.Slice(8));
            if (!SecretBox.TryOpenDerived(body.Slice(16), receiveKey, body.Slice(8, ShortNonce)))
            {
                throw ZmtpFailure.Protocol("a message that was changed on its way", "genuine ones");
            }

            byte flags = body[MessageHead - 1];
            if ((flags & MoreFlag) != 0)
            {
                throw ZmtpFailure.Protocol("a message of several frames", "single frames, as docs/unity_bridge/protocol.md has it");
            }

            command = (flags & CommandFlag) != 0;
            offset = MessageHead;
        }

        public void Dispose()
        {
            Array.Clear(shortTermSecret, 0, Key);
            Array.Clear(shared, 0, Key);
            Array.Clear(sendKey, 0, Key);
            Array.Clear(receiveKey, 0, Key);
        }

        private static Span<byte> Frame(SendQueue queue, int size, string name, bool command)
        {
            int head = FrameHead.SizeFor(size);
            var frame = queue.Append(head + size);
            FrameHead.Write(frame, size, command);
            var body = frame.Slice(head);
            body[0] = (byte)name.Length;
            Ascii(body.Slice(1), name);
            return body;
        }

        private static void Nonce(Span<byte> nonce, string prefix, ulong counter)
        {
            Ascii(nonce, prefix);
            BinaryPrimitives.WriteUInt64BigEndian(nonce.Slice(16), counter);
        }

        private static void Ascii(Span<byte> bytes, string text)
        {
            for (int index = 0; index < text.Length; index++)
            {
                bytes[index] = (byte)text[index];
            }
        }

        /// <summary>WELCOME: S' and a cookie, in a box that only the owner of S can have made for C'.</summary>
        private Span<byte> OpenWelcome(Span<byte> body)
        {
            Span<byte> nonce = stackalloc byte[SecretBox.NonceBytes];
            Ascii(nonce, "WELCOME-");
            if (body.Length != WelcomeBytes || !body.StartsWith(Welcome))
            {
                throw ZmtpFailure.Protocol($"a command of {body.Length} bytes", "WELCOME or ERROR");
            }

            body.Slice(8, 16).CopyTo(nonce.Slice(8));
            if (!SecretBox.TryOpen(body.Slice(24), shared, nonce))
            {
                throw ZmtpFailure.Refusal("the server has not the key that is pinned here: it is not the one that was enrolled");
            }

            return body.Slice(24 + Tag);
        }

        /// <summary>
        /// INITIATE: the cookie back, and in a box C, the vouch (a box by C that says C' belongs to it), and the metadata.
        /// </summary>
        private void Initiate(SendQueue queue, ReadOnlySpan<byte> welcome)
        {
            var serverShortTerm = welcome.Slice(0, Key);
            SecretBox.SharedKey(shared, serverShortTerm, shortTermSecret);

            int boxed = Tag + Key + 16 + VouchBytes + metadata.Length;
            var initiate = Frame(queue, 9 + Cookie + ShortNonce + boxed, "INITIATE", true);
            welcome.Slice(Key, Cookie).CopyTo(initiate.Slice(9));
            Span<byte> nonce = stackalloc byte[SecretBox.NonceBytes];
            Nonce(nonce, "CurveZMQINITIATE", ++sendNonce);
            nonce.Slice(16).CopyTo(initiate.Slice(9 + Cookie));
            var box = initiate.Slice(9 + Cookie + ShortNonce);
            keys.OwnPublic.CopyTo(box.Slice(Tag));
            Vouch(box.Slice(Tag + Key), serverShortTerm);
            metadata.CopyTo(box.Slice(Tag + Key + 16 + VouchBytes));
            SecretBox.Seal(box, shared, nonce);
            stage = Stage.InitiateSent;
        }

        private void Vouch(Span<byte> vouch, ReadOnlySpan<byte> serverShortTerm)
        {
            RandomNumberGenerator.Fill(vouch.Slice(0, 16));
            Span<byte> nonce = stackalloc byte[SecretBox.NonceBytes];
            Ascii(nonce, "VOUCH---");
            vouch.Slice(0, 16).CopyTo(nonce.Slice(8));
            var box = vouch.Slice(16, VouchBytes);
            shortTermPublic.CopyTo(box.Slice(Tag));
            keys.ServerPublic.CopyTo(box.Slice(Tag + Key));
            Span<byte> key = stackalloc byte[Key];
            SecretBox.SharedKey(key, serverShortTerm, keys.Secret);
            SecretBox.Seal(box, key, nonce);
            key.Clear();
        }

        /// <summary>READY: the server's metadata in a box.</summary>
        private void OpenReady(Span<byte> body)
        {
            if (!body.StartsWith(Command.Ready) || body.Length < 6 + ShortNonce + Tag)
            {
                throw ZmtpFailure.Protocol("another command in the handshake", "READY or ERROR");
            }

            Span<byte> nonce = stackalloc byte[SecretBox.NonceBytes];
            Ascii(nonce, "CurveZMQREADY---");
            body.Slice(6, ShortNonce).CopyTo(nonce.Slice(16));
            AcceptNonce(body.Slice(6));
            if (!SecretBox.TryOpen(body.Slice(6 + ShortNonce), shared, nonce))
            {
                throw ZmtpFailure.Protocol("a READY that was changed on its way", "a genuine one");
            }

            Command.CheckMetadata(body.Slice(6 + ShortNonce + Tag), type);
            DeriveKeys();
        }

        /// <summary>The first 16 bytes of a message's nonce are always the same; what follows from them is made once.</summary>
        private void DeriveKeys()
        {
            Span<byte> prefix = stackalloc byte[16];
            Ascii(prefix, "CurveZMQMESSAGEC");
            Salsa20.HSalsa20(sendKey, shared, prefix);
            Ascii(prefix, "CurveZMQMESSAGES");
            Salsa20.HSalsa20(receiveKey, shared, prefix);
        }

        private void AcceptNonce(ReadOnlySpan<byte> bytes)
        {
            ulong nonce = BinaryPrimitives.ReadUInt64BigEndian(bytes);
            if (nonce <= receiveNonce)
            {
                throw ZmtpFailure.Protocol("a message for the second time, or an older one", "each once, in order");
            }

            receiveNonce = nonce;
        }
    }
}
