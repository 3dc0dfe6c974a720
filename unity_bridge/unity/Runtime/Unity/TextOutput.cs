#nullable enable
using System;
using System.Text;
using UnityEngine;
using UnityEngine.Events;

namespace SurgNav.Unity
{
    /// <summary>
    /// Where a text goes: to a TextMesh, and to whatever listens, such as TextMeshPro's SetText. A text that has not
    /// changed goes nowhere and makes no garbage.
    /// </summary>
    [Serializable]
    public sealed class TextOutput
    {
        [SerializeField]
        private TextMesh? textMesh = null;

        [SerializeField]
        private UnityEvent<string> textChanged = new UnityEvent<string>();

        public string Text { get; private set; } = "";

        public UnityEvent<string> TextChanged => textChanged;

        internal void Put(StringBuilder words)
        {
            if (!Same(words, Text))
            {
                Put(words.ToString());
            }
        }

        internal void Put(string text)
        {
            if (text == Text)
            {
                return;
            }

            Text = text;
            if (textMesh)
            {
                textMesh!.text = text;
            }

            textChanged.Invoke(text);
        }

        internal void Paint(Color colour)
        {
            if (textMesh && textMesh!.color != colour)
            {
                textMesh.color = colour;
            }
        }

        private static bool Same(StringBuilder words, string text)
        {
            if (words.Length != text.Length)
            {
                return false;
            }

            for (int at = 0; at < text.Length; at++)
            {
                if (words[at] != text[at])
                {
                    return false;
                }
            }

            return true;
        }
    }
}
