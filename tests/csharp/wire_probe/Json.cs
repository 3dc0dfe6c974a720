#nullable enable
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace SurgNav.Tests.WireProbe
{
    /// <summary>Just enough JSON, with numbers that read back to the same bits, and bytes as hexadecimal.</summary>
    internal static class Json
    {
        internal static string Of(object? value)
        {
            switch (value)
            {
                case null:
                    return "null";
                case string text:
                    return Quoted(text);
                case bool flag:
                    return flag ? "true" : "false";
                case float number:
                    return Number(number);
                case double number:
                    return Number(number);
                case ReadOnlyMemory<byte> bytes:
                    return Quoted(string.Concat(bytes.ToArray().Select(each => each.ToString("x2"))));
                case IDictionary<string, object?> table:
                    return "{" + string.Join(",", table.Select(each => $"{Quoted(each.Key)}:{Of(each.Value)}")) + "}";
                case IEnumerable many:
                    return "[" + string.Join(",", many.Cast<object?>().Select(Of)) + "]";
                default:
                    return Convert.ToString(value, CultureInfo.InvariantCulture)!;
            }
        }

        /// <summary>ClockOffsetNs -> clock_offset_ns.</summary>
        internal static string Snake(string name)
        {
            var text = new StringBuilder();
            foreach (char letter in name)
            {
                if (char.IsUpper(letter) && text.Length > 0)
                {
                    text.Append('_');
                }

                text.Append(char.ToLowerInvariant(letter));
            }

            return text.ToString();
        }

        /// <summary>Never without a point or an exponent: a reader would take it for an integer.</summary>
        private static string Number(double number)
        {
            string text = number.ToString("G17", CultureInfo.InvariantCulture);
            return text.Any(letter => letter == '.' || letter == 'E') ? text : text + ".0";
        }

        private static string Quoted(string text)
        {
            var quoted = new StringBuilder("\"");
            foreach (char letter in text)
            {
                quoted.Append(letter < ' ' || letter == '"' || letter == '\\' ? $"\\u{(int)letter:x4}" : $"{letter}");
            }

            return quoted.Append('"').ToString();
        }
    }
}
