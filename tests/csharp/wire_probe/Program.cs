#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>Shows what the package's decoders make of bytes, so that the tests can compare it with Python's.</summary>
    public static class Program
    {
        public static int Main(string[] arguments)
        {
            switch (arguments[0])
            {
                case "meaning":
                    return PrintMeanings(arguments[1]);
                case "refusal":
                    foreach (var input in ReadInputs(arguments[1]))
                    {
                        Console.Out.WriteLine(Json.Of(Meaning.RefusalOf(input)));
                    }

                    return 0;
                case "fuzz":
                    return Fuzz.Run(ReadInputs(arguments[1]));
                case "allocations":
                    return Allocations.Run(ReadInputs(arguments[1]));
                case "ultrasound":
                    return Ultrasound.Run(ReadInputs(arguments[1]));
                case "ultrasound_allocations":
                    return Ultrasound.Allocations(ReadInputs(arguments[1]));
                case "restored":
                    return Restored.Run(ReadInputs(arguments[1]));
                case "refusals":
                    return Refusals.Run();
                default:
                    Console.Error.WriteLine("see the source for what may be shown, then a file of inputs");
                    return 2;
            }
        }

        /// <summary>One line of JSON for each input: its meaning, or null where it is refused.</summary>
        private static int PrintMeanings(string file)
        {
            using var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false));
            foreach (var input in ReadInputs(file))
            {
                output.WriteLine(Meaning.Of(input) ?? "null");
            }

            return 0;
        }

        /// <summary>Inputs one after the other, each with its length before it.</summary>
        private static List<byte[]> ReadInputs(string file)
        {
            var inputs = new List<byte[]>();
            using var reader = new BinaryReader(File.OpenRead(file));
            while (reader.BaseStream.Position < reader.BaseStream.Length)
            {
                inputs.Add(reader.ReadBytes(reader.ReadInt32()));
            }

            return inputs;
        }
    }
}
