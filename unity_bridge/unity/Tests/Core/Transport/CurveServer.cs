#nullable enable
using System;
using System.Buffers.Binary;
using SurgNav.Core.Transport;
using SurgNav.Core.Transport.Crypto;

namespace SurgNav.Core.Tests
{
    /// <summary>The server's side of CURVE (ZeroMQ RFC 26), as much as it takes to answer one client.</summary>
    internal sealed class CurveServer
    {
        private readonly byte[] secret;
        private readonly byte[] shortSecret = Hex.Bytes(new string('7', 64));
        private readonly byte[] shortPublic = new byte[32];
        private readonly byte[] shared = new byte[32];
        private ulong nonce;

        internal CurveServer(string secret)
        {
            this.secret = Z85.Decode(secret);
            Curve25519.PublicKey(shortPublic, shortSecret);
        }

        /// <summary>The long-term key that the client proved in its INITIATE.</summary>
        internal string ClientKey { get; private set; } = "";

        internal byte[] Welcome(ReadOnlySpan<byte> hello)
        {
            var client = hello.Slice(2 + 80, 32).ToArray();
            SecretBox.SharedKey(shared, client, secret);
            var proof = hello.Slice(2 + 120, 80).ToArray();
            if (!SecretBox.TryOpen(proof, shared, Nonce("CurveZMQHELLO---", hello.Slice(2 + 112, 8))))
            {
                throw new InvalidOperationException("a HELLO for another server");
            }

            var box = new byte[144];
            shortPublic.CopyTo(box, 16);
            var longNonce = new byte[16];
            SecretBox.Seal(box, shared, Nonce("WELCOME-", longNonce));
            SecretBox.SharedKey(shared, client, shortSecret);
            return WireParts.Command("WELCOME", WireParts.Join(longNonce, box));
        }

        internal byte[] Ready(ReadOnlySpan<byte> initiate, string socket)
        {
            // INITIATE is longer than 255 bytes: its frame's head takes nine.
            var body = initiate.Slice(9);
            var box = body.Slice(9 + 96 + 8).ToArray();
            if (!SecretBox.TryOpen(box, shared, Nonce("CurveZMQINITIATE", body.Slice(9 + 96, 8))))
            {
                throw new InvalidOperationException("an INITIATE that is not genuine");
            }

            ClientKey = Z85.Encode(box.AsSpan(16, 32));
            var vouch = box.AsSpan(16 + 32 + 16, 80).ToArray();
            var key = new byte[32];
            SecretBox.SharedKey(key, box.AsSpan(16, 32), shortSecret);
            if (!SecretBox.TryOpen(vouch, key, Nonce("VOUCH---", box.AsSpan(16 + 32, 16))))
            {
                throw new InvalidOperationException("a vouch that is not genuine");
            }

            var metadata = WireParts.Property("Socket-Type", socket);
            var sealedBox = WireParts.Join(new byte[16], metadata);
            var counter = Next();
            SecretBox.Seal(sealedBox, shared, Nonce("CurveZMQREADY---", counter));
            return WireParts.Command("READY", WireParts.Join(counter, sealedBox));
        }

        internal byte[] Message(byte flags, params byte[] content)
        {
            var box = WireParts.Join(new byte[16], new[] { flags }, content);
            var counter = Next();
            SecretBox.Seal(box, shared, Nonce("CurveZMQMESSAGES", counter));
            return WireParts.Frame(0, WireParts.Join(new byte[] { 7 }, WireParts.Ascii("MESSAGE"), counter, box));
        }

        /// <summary>Flags and content of a short frame.</summary>
        internal byte[] Read(ReadOnlySpan<byte> frame)
        {
            var box = frame.Slice(2 + 16).ToArray();
            return SecretBox.TryOpen(box, shared, Nonce("CurveZMQMESSAGEC", frame.Slice(2 + 8, 8)))
                ? box.AsSpan(16).ToArray()
                : throw new InvalidOperationException("a message that is not genuine");
        }

        private static byte[] Nonce(string prefix, ReadOnlySpan<byte> rest)
        {
            return WireParts.Join(WireParts.Ascii(prefix), rest.ToArray());
        }

        private byte[] Next()
        {
            var bytes = new byte[8];
            BinaryPrimitives.WriteUInt64BigEndian(bytes, ++nonce);
            return bytes;
        }
    }
}
