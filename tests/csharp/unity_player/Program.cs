#nullable enable
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using UnityEngine;
using UnityStubs;

namespace SurgNav.Tests.UnityPlayer
{
    /// <summary>
    /// Plays a scene in the stub engine, with the package as it is. Standard input has one command a line, words separated
    /// by tabs; each is answered by one line: "ok", JSON, or "error: ...".
    /// </summary>
    public static class Program
    {
        public static int Main()
        {
            Engine.Reset();
            var scene = new Scene();
            for (string? line = Console.In.ReadLine(); line != null; line = Console.In.ReadLine())
            {
                Console.Out.WriteLine(Answer(scene, line.Split('\t')));
                Console.Out.Flush();
            }

            Engine.Reset();
            Console.Out.WriteLine("closed");
            return 0;
        }

        private static string Answer(Scene scene, string[] words)
        {
            try
            {
                return Do(scene, words) ?? "ok";
            }
            catch (Exception error)
            {
                return "error: " + error.ToString().Replace("\r", "").Replace('\n', '|');
            }
        }

        private static string? Do(Scene scene, string[] words)
        {
            switch (words[0])
            {
                case "object":
                    scene.AddObject(words[1], words[2], words[3], words[4] == "1");
                    return null;
                case "transform":
                    scene.Place(words[1], Array.ConvertAll(words[2].Split(' '), Single));
                    return null;
                case "component":
                    scene.AddComponent(words[1], words[2], words[3]);
                    return null;
                case "set":
                    scene.Set(words[1], words[2], words[3], words[4]);
                    return null;
                case "go":
                    scene.Go();
                    return null;
                case "step":
                    Step(int.Parse(words[1], CultureInfo.InvariantCulture), int.Parse(words[2], CultureInfo.InvariantCulture));
                    return null;
                case "pause":
                    Engine.Pause(words[1] == "1");
                    return null;
                case "refuse":
                    Engine.RefuseFormat(Enum.Parse<UnityEngine.Rendering.VertexAttributeFormat>(words[1]));
                    return null;
                case "active":
                    scene.Object(words[1]).SetActive(words[2] == "1");
                    return null;
                case "call":
                    return scene.Call(words[1], words[2], words[3..]);
                case "show":
                    return Show.Everything(scene);
                case "garbage":
                    return Garbage(int.Parse(words[1], CultureInfo.InvariantCulture));
                default:
                    throw new ArgumentException($"no command '{words[0]}'");
            }
        }

        private static void Step(int frames, int milliseconds)
        {
            for (int at = 0; at < frames; at++)
            {
                Thread.Sleep(milliseconds);
                Engine.Step(milliseconds / 1000f);
            }
        }

        /// <summary>Bytes that the main thread allocates in so many frames while poses keep coming in.</summary>
        private static string Garbage(int frames)
        {
            Step(30, 5);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Step(frames, 5);
            long frame = GC.GetAllocatedBytesForCurrentThread() - before;

            // What the waiting itself costs is not the package's.
            before = GC.GetAllocatedBytesForCurrentThread();
            for (int at = 0; at < frames; at++)
            {
                Thread.Sleep(1);
            }

            long waiting = GC.GetAllocatedBytesForCurrentThread() - before;
            return (frame - waiting).ToString(CultureInfo.InvariantCulture);
        }

        private static float Single(string text) => float.Parse(text, CultureInfo.InvariantCulture);
    }
}
