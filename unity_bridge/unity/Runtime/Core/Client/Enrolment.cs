#nullable enable
using System;
using System.Collections.Generic;
using System.Globalization;
using SurgNav.Core.Transport;

namespace SurgNav.Core.Client
{
    /// <summary>
    /// What a client is handed when it is enrolled: whom to call, how to know them, how to be known. One line of ASCII,
    /// surgnav:1?name=...; unity_bridge/transport/keys.py writes it.
    /// </summary>
    internal sealed class Enrolment
    {
        private const string Scheme = "surgnav:1?";
        private const int TextLimit = 4096;
        private readonly List<string> hosts = new List<string>();
        private readonly Dictionary<string, string> single = new Dictionary<string, string>(StringComparer.Ordinal);

        private Enrolment(string text)
        {
            foreach (string pair in text.Substring(Scheme.Length).Split('&'))
            {
                int equals = pair.IndexOf('=');
                if (equals <= 0)
                {
                    throw None($"'{pair.Substring(0, Math.Min(pair.Length, 12))}' without a value");
                }

                string key = pair.Substring(0, equals);
                string value = Unescaped(pair.Substring(equals + 1));
                if (key == "host")
                {
                    hosts.Add(value);
                }
                else if (!single.TryAdd(key, value))
                {
                    throw None($"'{key}' twice");
                }
            }

            if (hosts.Count == 0)
            {
                throw None("an enrolment without host");
            }

            Name = Get("name");
            PosePort = Port("poses");
            SurfacePort = Port("surfaces");
            ControlPort = Port("control");
            if (!single.ContainsKey("secret"))
            {
                throw new SettingsException(
                    $"the enrolment of '{Name}' without a secret key",
                    "one with the client's own secret key",
                    "add &secret= with the key that belongs to the public key which was enrolled");
            }

            Keys = new CurveKeys(Key("server"), Key("secret"));
        }

        internal string Name { get; }

        internal int PosePort { get; }

        internal int SurfacePort { get; }

        internal int ControlPort { get; }

        internal CurveKeys Keys { get; }

        /// <exception cref="SettingsException">Not an enrolment, or one that is not whole.</exception>
        internal static Enrolment Parse(string text)
        {
            text = text.Trim();
            if (!text.StartsWith(Scheme, StringComparison.Ordinal) || text.Length > TextLimit)
            {
                throw None($"{text.Length} characters that begin otherwise");
            }

            return new Enrolment(text);
        }

        internal string Endpoint(int port) => $"tcp://{hosts[0]}:{port.ToString(CultureInfo.InvariantCulture)}";

        private static string Unescaped(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

        private static SettingsException None(string came)
        {
            return new SettingsException(
                came, $"one line that begins with {Scheme}", "copy the whole text, or enroll the client again");
        }

        private string Get(string key) => single.TryGetValue(key, out var value) ? value : throw None($"no '{key}'");

        private int Port(string key)
        {
            bool isPort = int.TryParse(Get(key), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
                && port > 0 && port < 65_536;
            return isPort ? port : throw None($"a port for '{key}' that is none");
        }

        /// <summary>URL-safe base64 without padding.</summary>
        private byte[] Key(string key)
        {
            string text = Get(key).Replace('-', '+').Replace('_', '/');
            var raw = new byte[CurveKeys.KeyBytes + 3];
            bool isBase64 = Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), raw, out int count);
            return isBase64 && count == CurveKeys.KeyBytes
                ? raw.AsSpan(0, count).ToArray()
                : throw None($"a key '{key}' that is not {CurveKeys.KeyBytes} bytes in base64");
        }
    }
}
