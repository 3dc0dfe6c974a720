using System;
using UnityEngine;
using Object = UnityEngine.Object;

namespace UnityEditor
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MessageType.html
    public enum MessageType
    {
        None = 0,
        Info = 1,
        Warning = 2,
        Error = 3,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MenuItem.html
    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class MenuItem : Attribute
    {
        public MenuItem(string itemName)
        {
        }

        public MenuItem(string itemName, bool isValidateFunction, int priority)
        {
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/CustomEditor.html
    public class CustomEditor : Attribute
    {
        public CustomEditor(Type inspectedType)
        {
        }

        public CustomEditor(Type inspectedType, bool editorForChildClasses)
        {
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Editor.html
    public class Editor : ScriptableObject
    {
        public Object target { get; set; }

        public virtual void OnInspectorGUI()
        {
        }

        public virtual bool RequiresConstantRepaint() => false;

        public bool DrawDefaultInspector() => false;
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorWindow.html
    public class EditorWindow : ScriptableObject
    {
        public static T GetWindow<T>(string title)
            where T : EditorWindow
        {
            return (T)Activator.CreateInstance(typeof(T));
        }

        public void Show()
        {
        }

        public void Repaint()
        {
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorApplication.html
    public sealed class EditorApplication
    {
        public static CallbackFunction update;

        // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorApplication.CallbackFunction.html
        public delegate void CallbackFunction();

        public static bool isPlaying { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorGUI.html
    public sealed class EditorGUI
    {
        // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorGUI.DisabledScope.html
        public struct DisabledScope : IDisposable
        {
            public DisabledScope(bool disabled)
            {
            }

            public void Dispose()
            {
            }
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/EditorGUILayout.html
    public sealed class EditorGUILayout
    {
        public static void LabelField(string label, string label2, params GUILayoutOption[] options)
        {
        }

        public static string TextField(string label, string text, params GUILayoutOption[] options) => text;

        public static string PasswordField(string label, string password, params GUILayoutOption[] options) => password;

        public static void HelpBox(string message, MessageType type)
        {
        }

        public static void Space()
        {
        }

        public static Vector2 BeginScrollView(Vector2 scrollPosition, params GUILayoutOption[] options) => scrollPosition;

        public static void EndScrollView()
        {
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/SerializedObject.html
    public class SerializedObject : IDisposable
    {
        public SerializedObject(Object obj)
        {
        }

        public SerializedProperty FindProperty(string propertyPath) => new SerializedProperty();

        public bool ApplyModifiedPropertiesWithoutUndo() => true;

        public void Dispose()
        {
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/SerializedProperty.html
    public class SerializedProperty
    {
        public string stringValue { get; set; }

        public Object objectReferenceValue { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/AssetDatabase.html
    public sealed class AssetDatabase
    {
        public static T GetBuiltinExtraResource<T>(string path)
            where T : Object
        {
            return null;
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Selection.html
    public sealed class Selection
    {
        public static GameObject activeGameObject { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Undo.html
    public class Undo
    {
        public static void RegisterCreatedObjectUndo(Object objectToUndo, string name)
        {
        }
    }
}
