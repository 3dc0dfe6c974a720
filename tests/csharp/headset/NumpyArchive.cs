#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;

namespace SurgNav.Tests.Headset
{
    /// <summary>Writes NumPy's .npz: a ZIP of .npy files, version 1.0 of the format.</summary>
    internal sealed class NumpyArchive : IDisposable
    {
        private readonly FileStream file;
        private readonly ZipArchive archive;

        internal NumpyArchive(string path)
        {
            file = File.Create(path);
            archive = new ZipArchive(file, ZipArchiveMode.Create);
        }

        internal void Integers(string name, IReadOnlyCollection<long> values)
        {
            Write(name, "<i8", new[] { values.Count }, values.SelectMany(BitConverter.GetBytes).ToArray());
        }

        internal void Integers(string name, int[] values, params int[] shape)
        {
            Write(name, "<i4", shape, Bytes(values, 4));
        }

        internal void Numbers(string name, double[] values, params int[] shape) => Write(name, "<f8", shape, Bytes(values, 8));

        internal void Texts(string name, IReadOnlyCollection<string> values, params int[] shape)
        {
            // NumPy has UTF-32, each text filled up with zeros to the longest.
            var encoded = values.Select(Encoding.UTF32.GetBytes).ToList();
            int width = Math.Max(4, encoded.Select(each => each.Length).DefaultIfEmpty(0).Max());
            var bytes = new byte[width * encoded.Count];
            for (int index = 0; index < encoded.Count; index++)
            {
                encoded[index].CopyTo(bytes, index * width);
            }

            Write(name, $"<U{width / 4}", shape, bytes);
        }

        public void Dispose()
        {
            archive.Dispose();
            file.Dispose();
        }

        private static byte[] Bytes(Array values, int size)
        {
            var bytes = new byte[values.Length * size];
            Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
            return bytes;
        }

        private void Write(string name, string type, int[] shape, byte[] bytes)
        {
            string dimensions = string.Concat(shape.Select(each => $"{each}, "));
            string head = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({dimensions}), }}";
            head = head.PadRight(((head.Length + 10 + 1 + 63) / 64 * 64) - 10 - 1) + "\n";
            using var entry = archive.CreateEntry(name + ".npy", CompressionLevel.Fastest).Open();
            entry.Write(new byte[] { 0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0 }, 0, 8);
            entry.Write(BitConverter.GetBytes((ushort)head.Length), 0, 2);
            entry.Write(Encoding.ASCII.GetBytes(head), 0, head.Length);
            entry.Write(bytes, 0, bytes.Length);
        }
    }
}
