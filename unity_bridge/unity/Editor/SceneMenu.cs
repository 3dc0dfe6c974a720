#nullable enable
using UnityEditor;
using UnityEngine;

namespace SurgNav.Unity.Editor
{
    /// <summary>
    /// Puts the usual hierarchy into the open scene: what the sample scene has, without its texts and the pictures of its
    /// tools.
    /// </summary>
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
            AddEllipsoid(Tool(reference, "stylus"));
            AddTrajectory(root, "stylus");
            AddUltrasound(root);
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

        /// <summary>Seen through, and lit by itself: whatever is drawn into the patient.</summary>
        private static Material SeenThrough => AssetDatabase.GetBuiltinExtraResource<Material>("Sprites-Default.mat");

        private static void AddEllipsoid(GameObject tool)
        {
            var sphere = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            sphere.name = "error";
            Object.DestroyImmediate(sphere.GetComponent<Collider>());
            sphere.GetComponent<MeshRenderer>().sharedMaterial = SeenThrough;
            sphere.transform.SetParent(tool.transform, false);
            sphere.SetActive(false);
            var fields = new SerializedObject(tool.AddComponent<TipErrorEllipsoid>());
            fields.FindProperty("sphere").objectReferenceValue = sphere;
            fields.ApplyModifiedPropertiesWithoutUndo();
        }

        private static void AddTrajectory(GameObject root, string tool)
        {
            var fields = new SerializedObject(Below(root, "Trajectory").AddComponent<TrajectoryOverlay>());
            fields.FindProperty("tool").stringValue = tool;
            fields.FindProperty("material").objectReferenceValue = SeenThrough;
            fields.ApplyModifiedPropertiesWithoutUndo();
        }

        private static void AddUltrasound(GameObject root)
        {
            var fields = new SerializedObject(Below(root, "Ultrasound").AddComponent<UltrasoundPlane>());
            fields.FindProperty("imageMaterial").objectReferenceValue = SeenThrough;
            fields.FindProperty("contourMaterial").objectReferenceValue = SeenThrough;
            fields.ApplyModifiedPropertiesWithoutUndo();
        }

        private static GameObject Below(GameObject above, string name)
        {
            var made = new GameObject(name);
            made.transform.SetParent(above.transform, false);
            return made;
        }
    }
}
