#nullable enable
using UnityEditor;
using UnityEngine;

namespace SurgNav.Unity.Editor
{
    /// <summary>Puts the usual hierarchy into the open scene: what the sample scene has, without its pictures.</summary>
    public static class SceneMenu
    {
        [MenuItem("GameObject/SurgNav/Connection with frames", false, 10)]
        public static void Create()
        {
            var root = new GameObject("SurgNav");
            root.AddComponent<SurgNavConnection>();
            var anchor = Below(root, "Headset anchor (tracker)");
            anchor.AddComponent<HeadsetAnchor>();
            var reference = Tool(anchor, "reference");
            var patient = Tool(reference, "patient");
            patient.AddComponent<PatientAnatomy>();
            Tool(reference, "stylus");
            Undo.RegisterCreatedObjectUndo(root, "Create SurgNav connection");
            Selection.activeGameObject = root;
        }

        private static GameObject Tool(GameObject above, string name)
        {
            var made = Below(above, name);
            var fields = new SerializedObject(made.AddComponent<TrackedTool>());
            fields.FindProperty("tool").stringValue = name;
            fields.FindProperty("visual").objectReferenceValue = Below(made, "visual");
            fields.ApplyModifiedPropertiesWithoutUndo();
            return made;
        }

        private static GameObject Below(GameObject above, string name)
        {
            var made = new GameObject(name);
            made.transform.SetParent(above.transform, false);
            return made;
        }
    }
}
