using System;

namespace UnityEngine
{
    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Vector2.html
    public struct Vector2
    {
        public float x;
        public float y;

        public Vector2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }

        public static Vector2 zero => default;

        public static Vector2 one => new Vector2(1, 1);
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Vector3.html
    public struct Vector3 : IEquatable<Vector3>
    {
        public float x;
        public float y;
        public float z;

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }

        public static Vector3 zero => default;

        public static Vector3 one => new Vector3(1, 1, 1);

        public static Vector3 up => new Vector3(0, 1, 0);

        public static Vector3 right => new Vector3(1, 0, 0);

        public static Vector3 forward => new Vector3(0, 0, 1);

        public float magnitude => (float)Math.Sqrt(sqrMagnitude);

        public float sqrMagnitude => (x * x) + (y * y) + (z * z);

        public Vector3 normalized
        {
            get
            {
                float length = magnitude;
                return length > 1e-5f ? this / length : zero;
            }
        }

        public static Vector3 operator +(Vector3 a, Vector3 b) => new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);

        public static Vector3 operator -(Vector3 a, Vector3 b) => new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);

        public static Vector3 operator -(Vector3 a) => new Vector3(-a.x, -a.y, -a.z);

        public static Vector3 operator *(Vector3 a, float d) => new Vector3(a.x * d, a.y * d, a.z * d);

        public static Vector3 operator *(float d, Vector3 a) => a * d;

        public static Vector3 operator /(Vector3 a, float d) => new Vector3(a.x / d, a.y / d, a.z / d);

        public static bool operator ==(Vector3 lhs, Vector3 rhs) => (lhs - rhs).sqrMagnitude < 9.99999944e-11f;

        public static bool operator !=(Vector3 lhs, Vector3 rhs) => !(lhs == rhs);

        public static float Dot(Vector3 lhs, Vector3 rhs) => (lhs.x * rhs.x) + (lhs.y * rhs.y) + (lhs.z * rhs.z);

        public static Vector3 Cross(Vector3 lhs, Vector3 rhs)
        {
            return new Vector3(
                (lhs.y * rhs.z) - (lhs.z * rhs.y), (lhs.z * rhs.x) - (lhs.x * rhs.z), (lhs.x * rhs.y) - (lhs.y * rhs.x));
        }

        public static float Distance(Vector3 a, Vector3 b) => (a - b).magnitude;

        /// <summary>Degrees, 0 to 180.</summary>
        public static float Angle(Vector3 from, Vector3 to)
        {
            double lengths = Math.Sqrt((double)from.sqrMagnitude * to.sqrMagnitude);
            return lengths < 1e-15 ? 0 : (float)(Math.Acos(Math.Clamp(Dot(from, to) / lengths, -1, 1)) * 180 / Math.PI);
        }

        public bool Equals(Vector3 other) => x.Equals(other.x) && y.Equals(other.y) && z.Equals(other.z);

        public override bool Equals(object other) => other is Vector3 vector && Equals(vector);

        public override int GetHashCode() => HashCode.Combine(x, y, z);

        public override string ToString() => $"({x:F2}, {y:F2}, {z:F2})";
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Vector4.html
    public struct Vector4
    {
        public float x;
        public float y;
        public float z;
        public float w;

        public Vector4(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }

        public static implicit operator Vector3(Vector4 v) => new Vector3(v.x, v.y, v.z);
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Quaternion.html
    public struct Quaternion : IEquatable<Quaternion>
    {
        public float x;
        public float y;
        public float z;
        public float w;

        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }

        public static Quaternion identity => new Quaternion(0, 0, 0, 1);

        public static Quaternion operator *(Quaternion lhs, Quaternion rhs)
        {
            return new Quaternion(
                (lhs.w * rhs.x) + (lhs.x * rhs.w) + (lhs.y * rhs.z) - (lhs.z * rhs.y),
                (lhs.w * rhs.y) + (lhs.y * rhs.w) + (lhs.z * rhs.x) - (lhs.x * rhs.z),
                (lhs.w * rhs.z) + (lhs.z * rhs.w) + (lhs.x * rhs.y) - (lhs.y * rhs.x),
                (lhs.w * rhs.w) - (lhs.x * rhs.x) - (lhs.y * rhs.y) - (lhs.z * rhs.z));
        }

        public static Vector3 operator *(Quaternion rotation, Vector3 point)
        {
            var axis = new Vector3(rotation.x, rotation.y, rotation.z);
            var twice = 2 * Vector3.Cross(axis, point);
            return point + (rotation.w * twice) + Vector3.Cross(axis, twice);
        }

        public static bool operator ==(Quaternion lhs, Quaternion rhs) => Dot(lhs, rhs) > 0.999999f;

        public static bool operator !=(Quaternion lhs, Quaternion rhs) => !(lhs == rhs);

        public static float Dot(Quaternion a, Quaternion b) => (a.x * b.x) + (a.y * b.y) + (a.z * b.z) + (a.w * b.w);

        public static Quaternion Inverse(Quaternion rotation)
        {
            return new Quaternion(-rotation.x, -rotation.y, -rotation.z, rotation.w);
        }

        public static Quaternion AngleAxis(float angle, Vector3 axis)
        {
            double half = angle * Math.PI / 360;
            var part = axis.normalized * (float)Math.Sin(half);
            return new Quaternion(part.x, part.y, part.z, (float)Math.Cos(half));
        }

        /// <summary>Degrees.</summary>
        public static float Angle(Quaternion a, Quaternion b)
        {
            double near = Math.Min(Math.Abs(Dot(a, b)), 1);
            return near > 1 - 0.000001 ? 0 : (float)(Math.Acos(near) * 2 * 180 / Math.PI);
        }

        /// <summary>The rotation whose z axis is `forward` and whose y axis is nearest to `upwards`.</summary>
        public static Quaternion LookRotation(Vector3 forward, Vector3 upwards)
        {
            var z = forward.normalized;
            var x = Vector3.Cross(upwards, z).normalized;
            var y = Vector3.Cross(z, x);
            double w = Math.Sqrt(Math.Max(0, 1 + x.x + y.y + z.z)) / 2;
            double qx = Math.Sqrt(Math.Max(0, 1 + x.x - y.y - z.z)) / 2;
            double qy = Math.Sqrt(Math.Max(0, 1 - x.x + y.y - z.z)) / 2;
            double qz = Math.Sqrt(Math.Max(0, 1 - x.x - y.y + z.z)) / 2;
            if (w < 0.1)
            {
                throw new NotSupportedException("the stub does not turn by nearly 180 degrees");
            }

            qx = Math.CopySign(qx, y.z - z.y);
            qy = Math.CopySign(qy, z.x - x.z);
            qz = Math.CopySign(qz, x.y - y.x);
            return new Quaternion((float)qx, (float)qy, (float)qz, (float)w);
        }

        public bool Equals(Quaternion other)
        {
            return x.Equals(other.x) && y.Equals(other.y) && z.Equals(other.z) && w.Equals(other.w);
        }

        public override bool Equals(object other) => other is Quaternion quaternion && Equals(quaternion);

        public override int GetHashCode() => HashCode.Combine(x, y, z, w);

        public override string ToString() => $"({x:F5}, {y:F5}, {z:F5}, {w:F5})";
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Matrix4x4.html
    public struct Matrix4x4
    {
        public float m00;
        public float m10;
        public float m20;
        public float m30;
        public float m01;
        public float m11;
        public float m21;
        public float m31;
        public float m02;
        public float m12;
        public float m22;
        public float m32;
        public float m03;
        public float m13;
        public float m23;
        public float m33;

        public Matrix4x4(Vector4 column0, Vector4 column1, Vector4 column2, Vector4 column3)
        {
            (m00, m10, m20, m30) = (column0.x, column0.y, column0.z, column0.w);
            (m01, m11, m21, m31) = (column1.x, column1.y, column1.z, column1.w);
            (m02, m12, m22, m32) = (column2.x, column2.y, column2.z, column2.w);
            (m03, m13, m23, m33) = (column3.x, column3.y, column3.z, column3.w);
        }

        public static Matrix4x4 identity => TRS(Vector3.zero, Quaternion.identity, Vector3.one);

        public float determinant
        {
            get
            {
                // Of an affine matrix, which is all that a Transform has.
                return Vector3.Dot((Vector3)GetColumn(0), Vector3.Cross(GetColumn(1), GetColumn(2)));
            }
        }

        public Matrix4x4 inverse
        {
            get
            {
                Vector3 a = GetColumn(0);
                Vector3 b = GetColumn(1);
                Vector3 c = GetColumn(2);
                Vector3 origin = GetColumn(3);
                float volume = determinant;
                var rowA = Vector3.Cross(b, c) / volume;
                var rowB = Vector3.Cross(c, a) / volume;
                var rowC = Vector3.Cross(a, b) / volume;
                return new Matrix4x4(
                    new Vector4(rowA.x, rowB.x, rowC.x, 0),
                    new Vector4(rowA.y, rowB.y, rowC.y, 0),
                    new Vector4(rowA.z, rowB.z, rowC.z, 0),
                    new Vector4(-Vector3.Dot(rowA, origin), -Vector3.Dot(rowB, origin), -Vector3.Dot(rowC, origin), 1));
            }
        }

        public Matrix4x4 transpose
        {
            get
            {
                return new Matrix4x4(
                    new Vector4(m00, m01, m02, m03),
                    new Vector4(m10, m11, m12, m13),
                    new Vector4(m20, m21, m22, m23),
                    new Vector4(m30, m31, m32, m33));
            }
        }

        public static Matrix4x4 operator *(Matrix4x4 lhs, Matrix4x4 rhs)
        {
            return new Matrix4x4(
                lhs * rhs.GetColumn(0), lhs * rhs.GetColumn(1), lhs * rhs.GetColumn(2), lhs * rhs.GetColumn(3));
        }

        public static Vector4 operator *(Matrix4x4 lhs, Vector4 vector)
        {
            return new Vector4(
                (lhs.m00 * vector.x) + (lhs.m01 * vector.y) + (lhs.m02 * vector.z) + (lhs.m03 * vector.w),
                (lhs.m10 * vector.x) + (lhs.m11 * vector.y) + (lhs.m12 * vector.z) + (lhs.m13 * vector.w),
                (lhs.m20 * vector.x) + (lhs.m21 * vector.y) + (lhs.m22 * vector.z) + (lhs.m23 * vector.w),
                (lhs.m30 * vector.x) + (lhs.m31 * vector.y) + (lhs.m32 * vector.z) + (lhs.m33 * vector.w));
        }

        public static Matrix4x4 TRS(Vector3 pos, Quaternion q, Vector3 s)
        {
            var x = q * Vector3.right * s.x;
            var y = q * Vector3.up * s.y;
            var z = q * Vector3.forward * s.z;
            return new Matrix4x4(
                new Vector4(x.x, x.y, x.z, 0),
                new Vector4(y.x, y.y, y.z, 0),
                new Vector4(z.x, z.y, z.z, 0),
                new Vector4(pos.x, pos.y, pos.z, 1));
        }

        public Vector4 GetColumn(int index)
        {
            return index switch
            {
                0 => new Vector4(m00, m10, m20, m30),
                1 => new Vector4(m01, m11, m21, m31),
                2 => new Vector4(m02, m12, m22, m32),
                3 => new Vector4(m03, m13, m23, m33),
                _ => throw new IndexOutOfRangeException("Invalid column index!"),
            };
        }

        public Vector3 MultiplyPoint3x4(Vector3 point) => this * new Vector4(point.x, point.y, point.z, 1);

        public Vector3 MultiplyVector(Vector3 vector) => this * new Vector4(vector.x, vector.y, vector.z, 0);
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Bounds.html
    public struct Bounds
    {
        public Bounds(Vector3 center, Vector3 size)
        {
            this.center = center;
            this.size = size;
        }

        public Vector3 center { get; set; }

        public Vector3 size { get; set; }
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Color.html
    public struct Color : IEquatable<Color>
    {
        public float r;
        public float g;
        public float b;
        public float a;

        public Color(float r, float g, float b, float a)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            this.a = a;
        }

        public Color(float r, float g, float b)
            : this(r, g, b, 1)
        {
        }

        public static Color white => new Color(1, 1, 1);

        public static bool operator ==(Color lhs, Color rhs) => lhs.Equals(rhs);

        public static bool operator !=(Color lhs, Color rhs) => !lhs.Equals(rhs);

        public bool Equals(Color other) => r == other.r && g == other.g && b == other.b && a == other.a;

        public override bool Equals(object other) => other is Color color && Equals(color);

        public override int GetHashCode() => HashCode.Combine(r, g, b, a);

        public override string ToString() => $"RGBA({r:F3}, {g:F3}, {b:F3}, {a:F3})";
    }

    // https://docs.unity3d.com/2021.3/Documentation/ScriptReference/Mathf.html
    public struct Mathf
    {
        public const float PI = (float)Math.PI;
        public const float Rad2Deg = 360 / (PI * 2);
        public const float Deg2Rad = PI * 2 / 360;

        public static float Abs(float f) => Math.Abs(f);

        public static float Max(float a, float b) => a > b ? a : b;

        public static float Min(float a, float b) => a < b ? a : b;

        public static float Sqrt(float f) => (float)Math.Sqrt(f);
    }
}
