using System;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/ScriptableObject.html
    public class ScriptableObject : Object
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/GUILayoutOption.html
    public sealed class GUILayoutOption
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/GUILayout.html
    public class GUILayout
    {
        public static bool Button(string text, params GUILayoutOption[] options) => false;
    }
}
