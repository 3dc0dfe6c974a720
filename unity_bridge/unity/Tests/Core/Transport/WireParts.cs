#nullable enable
using System;
using System.Text;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Tests
{
    /// <summary>What servers send, for tests that play one.</summary>
    internal static class WireParts
    {
        internal static readonly byte[] NullReady = Ready("PUB");

        internal static byte[] Greet(string mechanism, byte major = 3, byte minor = 1)
        {
            var greeting = new byte[Greeting.Size];
            Greeting.Write(greeting, mechanism);
            greeting[10] = major;
            greeting[11] = minor;
            return greeting;
        }

        internal static byte[] Ready(string socket) => Command("READY", Property("Socket-Type", socket));

        internal static byte[] Property(string name, string value)
        {
            return Join(new[] { (byte)name.Length }, Ascii(name), new byte[] { 0, 0, 0, (byte)value.Length }, Ascii(value));
        }

        internal static byte[] Command(string name, params byte[] rest)
        {
            return Frame(4, Join(new[] { (byte)name.Length }, Ascii(name), rest));
        }

        internal static byte[] Frame(byte flags, params byte[] body)
        {
            if (body.Length < 256 && (flags & 2) == 0)
            {
                return Join(new[] { flags, (byte)body.Length }, body);
            }

            var length = BitConverter.GetBytes((long)body.Length);
            Array.Reverse(length);
            return Join(new[] { (byte)(flags | 2) }, length, body);
        }

        internal static byte[] Ascii(string text) => Encoding.ASCII.GetBytes(text);

        internal static byte[] Join(params byte[][] parts)
        {
            int count = 0;
            foreach (var part in parts)
            {
                count += part.Length;
            }

            var whole = new byte[count];
            int at = 0;
            foreach (var part in parts)
            {
                part.CopyTo(whole, at);
                at += part.Length;
            }

            return whole;
        }
    }
}
