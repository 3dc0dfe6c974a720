#nullable enable
using SurgNav.Core.Client;
using UnityEngine;

namespace SurgNav.Unity
{
    /// <summary>Shows, greys or hides a GameObject and all below it.</summary>
    internal sealed class Tint
    {
        /// <summary>What is not to be relied on looks like this.</summary>
        internal static readonly Color Grey = new Color(0.5f, 0.5f, 0.5f, 0.5f);

        // The names in the built-in pipeline and in URP and HDRP.
        private static readonly int ColourId = Shader.PropertyToID("_Color");
        private static readonly int BaseColourId = Shader.PropertyToID("_BaseColor");
        private static readonly int TextureId = Shader.PropertyToID("_MainTex");
        private static readonly int BaseTextureId = Shader.PropertyToID("_BaseMap");

        private readonly GameObject visual;
        private readonly Renderer[] renderers;
        private readonly MaterialPropertyBlock block = new MaterialPropertyBlock();
        private Color? colour;
        private Texture? picture;
        private ToolDisplay? now;

        /// <param name="visual">Hidden until the first Apply.</param>
        /// <param name="colour">While shown; null for that of the material.</param>
        internal Tint(GameObject visual, Color? colour = null)
        {
            this.visual = visual;
            this.colour = colour;
            renderers = visual.GetComponentsInChildren<Renderer>(true);
            Apply(ToolDisplay.Hidden);
        }

        internal void Apply(ToolDisplay display)
        {
            if (now == display)
            {
                return;
            }

            now = display;
            Paint();
            visual.SetActive(display != ToolDisplay.Hidden);
        }

        /// <summary>While shown, from now on.</summary>
        internal void SetColour(Color value)
        {
            if (colour != value)
            {
                colour = value;
                Paint();
            }
        }

        /// <summary>Null for that of the material.</summary>
        internal void SetPicture(Texture? value)
        {
            picture = value;
            Paint();
        }

        private void Paint()
        {
            var paint = now == ToolDisplay.Greyed ? Grey : colour;
            block.Clear();
            if (paint.HasValue)
            {
                block.SetColor(ColourId, paint.Value);
                block.SetColor(BaseColourId, paint.Value);
            }

            if (picture)
            {
                block.SetTexture(TextureId, picture);
                block.SetTexture(BaseTextureId, picture);
            }

            foreach (var each in renderers)
            {
                each.SetPropertyBlock(block);
            }
        }
    }
}
