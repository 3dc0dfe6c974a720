#nullable enable
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using SurgNav.Core.Client;

namespace SurgNav.Tests.Headset
{
    /// <summary>
    /// The options of unity_bridge/client/__main__.py, --send for events, --ultrasound to read it, --suggested to show what nobody has approved, and --anchors: where the
    /// headset's world is for how many seconds, such as 'room-1:2,:4,room-1:9', without a name while it sleeps.
    /// </summary>
    internal sealed class Arguments
    {
        private readonly Dictionary<string, string> given = new Dictionary<string, string>();

        internal List<string> Events { get; } = new List<string>();

        internal string Anchors => Text("--anchors") ?? "";

        /// <summary>Live ultrasound is read: `contours`, or `images` too.</summary>
        internal string Ultrasound => Text("--ultrasound") ?? "";

        internal double DurationS => Number("--duration", 10.0);

        internal double TimeoutS => Number("--timeout", 30.0);

        internal int MaxBatches => (int)Number("--max-batches", 60_000.0);

        internal string ReportTo => Text("--report") ?? "-";

        internal string? RecordTo => Text("--record");

        /// <exception cref="SettingsException">An option that is none.</exception>
        internal static Arguments Parse(string[] words)
        {
            var arguments = new Arguments();
            for (int index = 0; index < words.Length; index += 2)
            {
                if (System.Array.IndexOf(Options, words[index]) < 0 || index + 1 >= words.Length)
                {
                    throw new SettingsException(
                        $"the argument '{words[index]}'", string.Join(" ", Options) + ", each with a value", "correct it");
                }

                if (words[index] == "--send")
                {
                    arguments.Events.Add(words[index + 1]);
                }
                else
                {
                    arguments.given[words[index]] = words[index + 1];
                }
            }

            return arguments;
        }

        internal ClientSettings Settings()
        {
            string? keys = Text("--keys");
            var settings = keys == null ? new ClientSettings() : ClientSettings.FromEnrolment(File.ReadAllText(keys));
            settings.PoseEndpoint = Text("--poses") ?? settings.PoseEndpoint;
            settings.SurfaceEndpoint = Text("--surfaces") ?? settings.SurfaceEndpoint;
            settings.ControlEndpoint = Text("--control") ?? settings.ControlEndpoint;
            settings.Name = Text("--name") ?? "C# headset";
            settings.Program = "surgnav headset test 1.0";
            settings.ShowSuggestedSurfaces = Text("--suggested") == "shown";
            settings.MaxTriangles = (long)Number("--max-triangles", 0.0);
            settings.SurfaceForm = Text("--form") switch
            {
                "raw" => SurfaceForm.Raw,
                "compressed" => SurfaceForm.Compressed,
                _ => SurfaceForm.Auto,
            };
            return settings;
        }

        private static readonly string[] Options =
        {
            "--poses", "--surfaces", "--control", "--keys", "--duration", "--timeout", "--name", "--max-batches",
            "--report", "--record", "--form", "--max-triangles", "--send", "--anchors", "--ultrasound",
            "--suggested",
        };

        private string? Text(string option) => given.TryGetValue(option, out var value) ? value : null;

        private double Number(string option, double otherwise)
        {
            string? text = Text(option);
            return text == null ? otherwise
                : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value
                : throw new SettingsException($"{option} {text}", "a number", "correct it");
        }
    }
}
