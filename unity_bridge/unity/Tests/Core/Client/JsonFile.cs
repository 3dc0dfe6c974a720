#nullable enable
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace SurgNav.Core.Tests
{
    /// <summary>The vectors that both languages read: objects, lists and numbers are all that they hold.</summary>
    internal sealed class JsonFile
    {
        private readonly string text;
        private int at;

        private JsonFile(string text)
        {
            this.text = text;
        }

        /// <summary>A file of tests/golden in the repository, looked for from the working folder upwards.</summary>
        internal static Dictionary<string, object> Golden(string name)
        {
            return (Dictionary<string, object>)new JsonFile(File.ReadAllText(Find(name))).Value();
        }

        /// <summary>Where a file of tests/golden is.</summary>
        internal static string Find(string name)
        {
            for (var folder = new DirectoryInfo(Directory.GetCurrentDirectory()); folder != null; folder = folder.Parent)
            {
                string path = Path.Combine(folder.FullName, "tests", "golden", name);
                if (File.Exists(path))
                {
                    return path;
                }
            }

            throw new FileNotFoundException($"no tests/golden/{name}: run this in the repository", name);
        }

        internal static IEnumerable<Dictionary<string, object>> Objects(object list)
        {
            return ((List<object>)list).Cast<Dictionary<string, object>>();
        }

        internal static double[] Numbers(object list) => ((List<object>)list).Cast<double>().ToArray();

        private object Value()
        {
            Skip();
            switch (text[at])
            {
                case '{':
                    return Many(new Dictionary<string, object>(), '}', table =>
                    {
                        string key = Quoted();
                        Skip();
                        at++; // the colon
                        table[key] = Value();
                    });
                case '[':
                    return Many(new List<object>(), ']', list => list.Add(Value()));
                default:
                    int start = at;
                    while ("+-.eE0123456789".IndexOf(text[at]) >= 0)
                    {
                        at++;
                    }

                    return double.Parse(text.Substring(start, at - start), CultureInfo.InvariantCulture);
            }
        }

        private T Many<T>(T container, char end, Action<T> readOne)
        {
            at++;
            for (Skip(); text[at] != end; Skip())
            {
                readOne(container);
                Skip();
                at += text[at] == ',' ? 1 : 0;
            }

            at++;
            return container;
        }

        private string Quoted()
        {
            int end = text.IndexOf('"', at + 1);
            string word = text.Substring(at + 1, end - at - 1);
            at = end + 1;
            return word;
        }

        private void Skip()
        {
            while (char.IsWhiteSpace(text[at]))
            {
                at++;
            }
        }
    }
}
