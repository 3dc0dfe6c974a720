#nullable enable
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using SurgNav.Unity;
using UnityEngine;
using UnityStubs;
using Object = UnityEngine.Object;

namespace SurgNav.Tests.UnityPlayer
{
    /// <summary>What a .unity file describes: objects and components by their file ids.</summary>
    internal sealed class Scene
    {
        private readonly Dictionary<string, GameObject> objects = new Dictionary<string, GameObject>();
        private readonly Dictionary<string, Object> byId = new Dictionary<string, Object>();
        private readonly List<(GameObject, bool)> wanted = new List<(GameObject, bool)>();

        internal IEnumerable<GameObject> Objects => objects.Values.Where(each => each);

        internal GameObject Object(string id) => objects[id];

        /// <summary>Inactive as long as it is not whole: Unity calls Awake when the fields are there.</summary>
        internal void AddObject(string id, string parent, string name, bool active)
        {
            var made = new GameObject(name);
            made.SetActive(false);
            if (parent != "0")
            {
                made.transform.SetParent(objects[parent].transform, false);
            }

            objects[id] = made;
            byId[id] = made;
            wanted.Add((made, active));
        }

        internal void AddComponent(string id, string owner, string type)
        {
            if (type == "Transform")
            {
                byId[id] = objects[owner].transform;
                return;
            }

            var found = Type.GetType($"UnityEngine.{type}, UnityEngine") ?? Type.GetType($"SurgNav.Unity.{type}, SurgNav.Unity")
                ?? throw new ArgumentException($"no type {type}");
            var add = typeof(GameObject).GetMethod("AddComponent")!.MakeGenericMethod(found);
            byId[id] = (Object)add.Invoke(objects[owner], null)!;
        }

        internal void Place(string id, float[] numbers)
        {
            var moved = objects[id].transform;
            moved.localPosition = new Vector3(numbers[0], numbers[1], numbers[2]);
            moved.localRotation = new Quaternion(numbers[3], numbers[4], numbers[5], numbers[6]);
            moved.localScale = new Vector3(numbers[7], numbers[8], numbers[9]);
        }

        /// <summary>A field by its path, as a .unity file has it; only fields that Unity serialises.</summary>
        internal void Set(string id, string path, string kind, string value)
        {
            object target = byId[id];
            string[] names = path.Split('.');
            for (int at = 0; at < names.Length - 1; at++)
            {
                target = Step(target, names[at]);
            }

            var field = Engine.SerializedField(target.GetType(), names[^1]);
            if (kind == "event")
            {
                return; // nothing listens to it in a file: that it is there is all
            }

            field.SetValue(target, kind == "ref" ? byId[value] : Converted(value, field.FieldType));
        }

        internal void Go()
        {
            for (int at = wanted.Count - 1; at >= 0; at--)
            {
                wanted[at].Item1.SetActive(wanted[at].Item2);
            }

            wanted.Clear();
        }

        /// <summary>A public method with texts and numbers, as an application calls it.</summary>
        internal string? Call(string id, string name, string[] words)
        {
            var target = byId[id];
            var method = target.GetType().GetMethod(name) ?? throw new MissingMethodException(name);
            var given = method.GetParameters().Select((each, at) => Converted(words[at], each.ParameterType)).ToArray();
            return method.Invoke(target, given)?.ToString();
        }

        private static object Step(object target, string name)
        {
            if (target is Array array)
            {
                return array.GetValue(int.Parse(name, CultureInfo.InvariantCulture))!;
            }

            var field = Engine.SerializedField(target.GetType(), name);
            return field.GetValue(target) ?? throw new InvalidOperationException($"{name} is null");
        }

        private static object? Converted(string value, Type type)
        {
            if (type == typeof(bool))
            {
                return value == "1";
            }

            if (type.IsArray)
            {
                var element = type.GetElementType()!;
                var made = Array.CreateInstance(element, int.Parse(value, CultureInfo.InvariantCulture));
                for (int at = 0; at < made.Length; at++)
                {
                    made.SetValue(Activator.CreateInstance(element), at);
                }

                return made;
            }

            if (type == typeof(Vector3))
            {
                var parts = Numbers(value);
                return new Vector3(parts[0], parts[1], parts[2]);
            }

            if (type == typeof(Color))
            {
                var parts = Numbers(value);
                return new Color(parts[0], parts[1], parts[2], parts[3]);
            }

            return typeof(Object).IsAssignableFrom(type) ? Builtin(type) : Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
        }

        /// <summary>One of Unity's own assets: what it is does not matter here.</summary>
        private static object? Builtin(Type type) => type == typeof(Material) ? new Material(null!) : null;

        private static float[] Numbers(string words)
        {
            return Array.ConvertAll(words.Split(' '), each => float.Parse(each, CultureInfo.InvariantCulture));
        }
    }
}
