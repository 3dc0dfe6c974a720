using System;
using System.Collections.Generic;
using UnityStubs;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Object.html
    public class Object
    {
        public Object()
        {
            Engine.CheckMainThread();
        }

        public string name { get; set; } = "";

        internal bool IsDestroyed { get; private set; }

        public static implicit operator bool(Object exists) => !(exists is null) && !exists.IsDestroyed;

        public static bool operator ==(Object x, Object y)
        {
            bool noX = x is null || x.IsDestroyed;
            bool noY = y is null || y.IsDestroyed;
            return noX || noY ? noX && noY : ReferenceEquals(x, y);
        }

        public static bool operator !=(Object x, Object y) => !(x == y);

        /// <summary>As in Unity, it is gone at the end of the frame.</summary>
        public static void Destroy(Object obj) => Engine.DestroyLater(obj);

        public static T FindObjectOfType<T>()
            where T : Object
        {
            return Engine.FindObjectOfType<T>();
        }

        public static void DestroyImmediate(Object obj) => Engine.Destroy(obj);

        public override bool Equals(object other) => ReferenceEquals(this, other);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        internal virtual void OnDestroyed() => IsDestroyed = true;
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Component.html
    public class Component : Object
    {
        internal GameObject Owner;

        public GameObject gameObject => Owner;

        public Transform transform
        {
            get
            {
                Engine.CheckMainThread();
                return Owner.transform;
            }
        }

        public T GetComponent<T>() => Owner.GetComponent<T>();

        public bool TryGetComponent<T>(out T component)
        {
            component = GetComponent<T>();
            return component != null;
        }

        public T GetComponentInParent<T>() => Owner.GetComponentInParent<T>();

        public T[] GetComponentsInChildren<T>(bool includeInactive) => Owner.GetComponentsInChildren<T>(includeInactive);
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Behaviour.html
    public class Behaviour : Component
    {
        private bool isEnabled = true;

        public bool enabled
        {
            get => isEnabled;
            set
            {
                Engine.CheckMainThread();
                isEnabled = value;
                Engine.Refresh(Owner);
            }
        }

        public bool isActiveAndEnabled => isEnabled && Owner.activeInHierarchy;
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/MonoBehaviour.html
    public class MonoBehaviour : Behaviour
    {
        internal readonly Messages Messages;

        public MonoBehaviour()
        {
            Messages = new Messages(this);
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Collider.html
    public class Collider : Component
    {
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/PrimitiveType.html
    public enum PrimitiveType
    {
        Sphere = 0,
        Capsule = 1,
        Cylinder = 2,
        Cube = 3,
        Plane = 4,
        Quad = 5,
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/GameObject.html
    public sealed class GameObject : Object
    {
        internal readonly List<Component> Components = new List<Component>();
        private bool active = true;

        public GameObject(string name)
        {
            this.name = name;
            transform = new Transform { Owner = this, name = name };
            Components.Add(transform);
            Engine.Register(this);
        }

        public GameObject(string name, params Type[] components)
            : this(name)
        {
            foreach (var type in components)
            {
                Add((Component)Activator.CreateInstance(type));
            }
        }

        public static GameObject CreatePrimitive(PrimitiveType type)
        {
            return new GameObject(type.ToString(), typeof(MeshFilter), typeof(MeshRenderer), typeof(Collider));
        }

        public Transform transform { get; }

        public bool activeSelf => active;

        public bool activeInHierarchy
        {
            get
            {
                for (var each = transform; !(each is null); each = each.parent)
                {
                    if (!each.Owner.active)
                    {
                        return false;
                    }
                }

                return true;
            }
        }

        public void SetActive(bool value)
        {
            Engine.CheckMainThread();
            active = value;
            Engine.Refresh(this);
        }

        public T AddComponent<T>()
            where T : Component
        {
            var component = Activator.CreateInstance<T>();
            Add(component);
            return component;
        }

        public T GetComponent<T>()
        {
            Engine.CheckMainThread();
            foreach (var component in Components)
            {
                if (component is T found)
                {
                    return found;
                }
            }

            return default;
        }

        public T GetComponentInParent<T>()
        {
            for (var each = transform; !(each is null); each = each.parent)
            {
                var found = each.Owner.GetComponent<T>();
                if (found != null)
                {
                    return found;
                }
            }

            return default;
        }

        public T[] GetComponentsInChildren<T>(bool includeInactive)
        {
            var found = new List<T>();
            Collect(transform, includeInactive, found);
            return found.ToArray();
        }

        internal override void OnDestroyed()
        {
            base.OnDestroyed();
            foreach (var component in Components)
            {
                Engine.Leave(component);
            }

            foreach (var child in transform.Children.ToArray())
            {
                child.Owner.OnDestroyed();
            }

            transform.SetParent(null, true);
        }

        private static void Collect<T>(Transform from, bool includeInactive, List<T> found)
        {
            if (includeInactive || from.Owner.activeInHierarchy)
            {
                foreach (var component in from.Owner.Components)
                {
                    if (component is T one)
                    {
                        found.Add(one);
                    }
                }
            }

            foreach (var child in from.Children)
            {
                Collect(child, includeInactive, found);
            }
        }

        private void Add(Component component)
        {
            component.Owner = this;
            component.name = name;
            Components.Add(component);
            Engine.Refresh(this);
        }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Transform.html
    public class Transform : Component
    {
        internal readonly List<Transform> Children = new List<Transform>();
        private Vector3 ownPosition;
        private Quaternion ownRotation = Quaternion.identity;
        private Vector3 ownScale = Vector3.one;
        private Transform above;

        public Transform parent
        {
            get => above;
            set => SetParent(value, true);
        }

        public int childCount => Children.Count;

        public Vector3 localPosition
        {
            get => ownPosition;
            set
            {
                Engine.CheckMainThread();
                ownPosition = value;
            }
        }

        public Quaternion localRotation
        {
            get => ownRotation;
            set
            {
                Engine.CheckMainThread();
                ownRotation = value;
            }
        }

        public Vector3 localScale
        {
            get => ownScale;
            set
            {
                Engine.CheckMainThread();
                ownScale = value;
            }
        }

        public Matrix4x4 localToWorldMatrix
        {
            get
            {
                var own = Matrix4x4.TRS(ownPosition, ownRotation, ownScale);
                return above is null ? own : above.localToWorldMatrix * own;
            }
        }

        public Matrix4x4 worldToLocalMatrix => localToWorldMatrix.inverse;

        public Vector3 position
        {
            get => localToWorldMatrix.GetColumn(3);
            set => localPosition = above is null ? value : above.InverseTransformPoint(value);
        }

        /// <summary>Right for hierarchies that mirror nothing.</summary>
        public Quaternion rotation
        {
            get => above is null ? ownRotation : above.rotation * ownRotation;
            set => localRotation = above is null ? value : Quaternion.Inverse(above.rotation) * value;
        }

        public Vector3 forward => rotation * Vector3.forward;

        public Transform GetChild(int index) => Children[index];

        public Transform Find(string n) => Children.Find(each => each.name == n);

        public void SetParent(Transform parent, bool worldPositionStays)
        {
            Engine.CheckMainThread();
            var (at, turned) = (position, rotation);
            above?.Children.Remove(this);
            above = parent;
            above?.Children.Add(this);
            if (worldPositionStays)
            {
                (position, rotation) = (at, turned);
            }

            Engine.Refresh(Owner);
        }

        public void SetPositionAndRotation(Vector3 position, Quaternion rotation)
        {
            this.position = position;
            this.rotation = rotation;
        }

        public Vector3 TransformPoint(Vector3 position) => localToWorldMatrix.MultiplyPoint3x4(position);

        public Vector3 InverseTransformPoint(Vector3 position) => worldToLocalMatrix.MultiplyPoint3x4(position);

        public Vector3 TransformDirection(Vector3 direction) => rotation * direction;
    }
}
