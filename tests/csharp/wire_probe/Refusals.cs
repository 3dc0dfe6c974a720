#nullable enable
using System;
using System.Collections.Generic;
using System.Linq;
using SurgNav.Core.Wire;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>What an encoder must not send.</summary>
    internal static class Refusals
    {
        private static readonly string Hash = new string('0', 64);

        /// <summary>One line: how each message ends, "sent" or the refusal's words.</summary>
        internal static int Run()
        {
            var results = Messages().ToDictionary(each => each.Name, each => (object?)Outcome(each.Message));
            Console.WriteLine(Json.Of(results));
            return 0;
        }

        private static IEnumerable<(string Name, IMessage Message)> Messages()
        {
            yield return ("good", Welcome("g", Validity.Valid, 100.0));
            yield return ("longest text", new Goodbye { Reason = new string('\u00e9', 512) });
            yield return ("text too long", new Goodbye { Reason = new string('\u00e9', 512) + "x" });
            yield return ("half a character", new Goodbye { Reason = "\ud800" });
            yield return ("not a number", Welcome("g", Validity.Valid, double.NaN));
            yield return ("infinite", Welcome("g", Validity.Valid, double.PositiveInfinity));
            yield return ("no validity", Welcome("g", Validity.Unset, 100.0));
            yield return ("far enough", new ClientEvent { PositionM = new[] { -1000.0, 0.0, 1000.0 } });
            yield return ("too far", new ClientEvent { PositionM = new[] { 0.0, 1000.1, 0.0 } });
            yield return ("nowhere", new ClientEvent { PositionM = new[] { 0.0, 0.0, double.NaN } });
            yield return ("good hash", new SurfaceChunkRequest { Sha256 = Hash });
            yield return ("short hash", new SurfaceChunkRequest { Sha256 = Hash.Substring(1) });
            yield return ("no hash", new SurfaceChunkRequest { Sha256 = Hash.Replace("00", "0g") });
        }

        private static Welcome Welcome(string name, Validity validity, double rate)
        {
            return new Welcome { ServerName = name, RegistrationValidity = validity, RateHz = rate };
        }

        private static string Outcome(IMessage message)
        {
            var writer = new WireWriter();
            try
            {
                MessageCodec.Encode(message, default, writer);
            }
            catch (MalformedMessageException error)
            {
                return error.Came;
            }

            MessageCodec.Decode(writer.Written, out _);
            return "sent";
        }
    }
}
