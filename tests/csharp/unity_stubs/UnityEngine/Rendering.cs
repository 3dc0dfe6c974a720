using System;
using System.Collections.Generic;
using UnityStubs;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Shader.html
    public sealed class Shader : Object
    {
        private static readonly List<string> Names = new List<string>();

        public static int PropertyToID(string name)
        {
            int at = Names.IndexOf(name);
            if (at < 0)
            {
                at = Names.Count;
                Names.Add(name);
            }

            return at;
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Material.html
    public class Material : Object
    {
        public Material(Shader shader)
        {
            this.shader = shader;
        }

        public Shader shader { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Texture.html
    public class Texture : Object
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Texture2D.html
    public sealed class Texture2D : Texture
    {
        public Texture2D(int width, int height)
        {
        }

        /// <summary>The bytes that were loaded last.</summary>
        internal byte[] Loaded = Array.Empty<byte>();
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/ImageConversion.html
    public static class ImageConversion
    {
        public static bool LoadImage(this Texture2D tex, byte[] data)
        {
            Engine.CheckMainThread();
            bool isJpeg = data.Length > 1 && data[0] == 0xFF && data[1] == 0xD8;
            tex.Loaded = isJpeg ? data : tex.Loaded;
            return isJpeg;
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MaterialPropertyBlock.html
    public sealed class MaterialPropertyBlock
    {
        internal readonly Dictionary<int, Color> Colors = new Dictionary<int, Color>();
        internal readonly Dictionary<int, Texture> Textures = new Dictionary<int, Texture>();

        public bool isEmpty => Colors.Count + Textures.Count == 0;

        public void Clear()
        {
            Colors.Clear();
            Textures.Clear();
        }

        public void SetColor(int nameID, Color value) => Colors[nameID] = value;

        public void SetTexture(int nameID, Texture value)
        {
            Textures[nameID] = value ? value : throw new ArgumentNullException(nameof(value));
        }

        public Color GetColor(int nameID) => Colors.TryGetValue(nameID, out var color) ? color : default;

        public Texture GetTexture(int nameID) => Textures.TryGetValue(nameID, out var texture) ? texture : null;

        internal void Become(MaterialPropertyBlock other)
        {
            Clear();
            foreach (var pair in other.Colors)
            {
                Colors[pair.Key] = pair.Value;
            }

            foreach (var pair in other.Textures)
            {
                Textures[pair.Key] = pair.Value;
            }
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Renderer.html
    public class Renderer : Component
    {
        private readonly MaterialPropertyBlock block = new MaterialPropertyBlock();

        public bool enabled { get; set; } = true;

        public Material sharedMaterial { get; set; }

        /// <summary>Copies the block; null takes away what was set.</summary>
        public void SetPropertyBlock(MaterialPropertyBlock properties)
        {
            Engine.CheckMainThread();
            if (properties is null)
            {
                block.Clear();
            }
            else
            {
                block.Become(properties);
            }
        }

        public void GetPropertyBlock(MaterialPropertyBlock properties) => properties.Become(block);
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MeshRenderer.html
    public class MeshRenderer : Renderer
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MeshFilter.html
    public sealed class MeshFilter : Component
    {
        public Mesh sharedMesh { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/TextMesh.html
    public sealed class TextMesh : Component
    {
        public string text { get; set; } = "";

        public Color color { get; set; } = Color.white;
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/SystemInfo.html
    public sealed class SystemInfo
    {
        internal static Rendering.VertexAttributeFormat? UnsupportedFormat;

        public static bool SupportsVertexAttributeFormat(Rendering.VertexAttributeFormat format, int dimension)
        {
            return format != UnsupportedFormat && dimension >= 1 && dimension <= 4;
        }
    }
}

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Camera.html
    public sealed class Camera : Behaviour
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/AudioListener.html
    public sealed class AudioListener : Behaviour
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Light.html
    public sealed class Light : Behaviour
    {
    }
}
